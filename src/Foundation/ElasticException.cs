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
}
