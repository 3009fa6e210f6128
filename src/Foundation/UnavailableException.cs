namespace Elastic.Foundation;

/// <summary>
/// Whoever is to answer does not at the moment, and nothing is wrong with the question: the same again later may be answered.
/// </summary>
public sealed class UnavailableException : ElasticException
{
    public UnavailableException() { }

    public UnavailableException(string message) : base(message) { }

    public UnavailableException(string message, Exception inner) : base(message, inner) { }
}
