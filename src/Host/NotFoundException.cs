using Elastic.Foundation;

namespace Elastic.Host;

/// <summary>What a command names does not exist: a run, a checkpoint. Exit code 3.</summary>
public sealed class NotFoundException : ElasticException
{
    public NotFoundException() { }

    public NotFoundException(string message) : base(message) { }

    public NotFoundException(string message, Exception inner) : base(message, inner) { }
}
