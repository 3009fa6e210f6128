using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A page took longer than any page should, on this machine, this time: that says nothing about the page, so another machine or another
/// attempt reads it.
/// </summary>
public sealed class SlowPageException : ElasticException
{
    public SlowPageException() { }

    public SlowPageException(string message) : base(message) { }

    public SlowPageException(string message, Exception inner) : base(message, inner) { }
}
