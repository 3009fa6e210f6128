namespace Elastic.Foundation;

/// <summary>What a command names: a run, a checkpoint, a folder or a file, does not exist. Exit code 3.</summary>
public sealed class NotFoundException : ElasticException
{
    public NotFoundException() { }

    public NotFoundException(string message) : base(message) { }

    public NotFoundException(string message, Exception inner) : base(message, inner) { }
}
