using Elastic.Foundation;

namespace Elastic.Host;

/// <summary>A run or a checkpoint that a command names does not exist. Exit code 3.</summary>
public sealed class NotFoundException : ElasticException
{
    public NotFoundException() { }

    public NotFoundException(string message) : base(message) { }

    public NotFoundException(string message, Exception inner) : base(message, inner) { }
}
