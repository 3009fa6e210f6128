namespace Elastic.Foundation;

/// <summary>
/// An error that the user can fix: the message names the thing and the remedy, and is shown without a stack trace.
/// </summary>
public class ElasticException : Exception
{
    public ElasticException() { }

    public ElasticException(string message) : base(message) { }

    public ElasticException(string message, Exception inner) : base(message, inner) { }

    /// <summary>The first ElasticException among an exception and its causes; null where there is none.</summary>
    public static ElasticException? In(Exception? e)
    {
        while (e is not (null or ElasticException))
            e = e.InnerException;
        return (ElasticException?)e;
    }
}
