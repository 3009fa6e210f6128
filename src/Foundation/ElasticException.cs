namespace Elastic.Foundation;

/// <summary>
/// Something that the person at the keyboard can mend: the message names the thing and the remedy,
/// and is shown without a stack trace.
/// </summary>
public class ElasticException : Exception
{
    public ElasticException() { }

    public ElasticException(string message) : base(message) { }

    public ElasticException(string message, Exception inner) : base(message, inner) { }

    /// <summary>The one among an exception and what caused it, which says what to do; null where there is none.</summary>
    public static ElasticException? In(Exception? e)
    {
        while (e is not (null or ElasticException))
            e = e.InnerException;
        return (ElasticException?)e;
    }
}
