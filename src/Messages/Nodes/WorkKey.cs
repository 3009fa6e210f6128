namespace Elastic.Messages.Nodes;

/// <summary>The kinds of work that a supervisor gives out.</summary>
public enum WorkKind
{
    Initialize,
    Evaluate,
    Checkpoint,
    Replica,
    Average,
    Assemble,
    Copy,
}

/// <summary>Names a piece of work of a run, so that it is given out once, or known to be the same when it is given out twice.</summary>
/// <param name="Number">The round; for an evaluation or a checkpoint the version.</param>
/// <param name="Index">The replica; for an averaging the group of chunks; for a copy its number; else 0.</param>
public readonly record struct WorkKey(WorkKind Kind, int Number, int Index = 0) : IWireMessage
{
    /// <summary>The key of a command; null where it asks for no work that somebody waits for.</summary>
    public static WorkKey? Of(NodeCommand command) => command switch
    {
        NodeCommand.Initialize => new WorkKey(WorkKind.Initialize, 0),
        NodeCommand.Evaluate c => new WorkKey(WorkKind.Evaluate, c.Version),
        NodeCommand.TakeCheckpoint c => new WorkKey(WorkKind.Checkpoint, c.Version),
        NodeCommand.RunReplica c => new WorkKey(WorkKind.Replica, c.Round, c.Replica),
        NodeCommand.AverageChunks c => new WorkKey(WorkKind.Average, c.Round, c.Chunks[0]),
        NodeCommand.Assemble c => new WorkKey(WorkKind.Assemble, c.Round),
        NodeCommand.CopySet c => new WorkKey(WorkKind.Copy, c.Round, c.Copy),
        _ => null,
    };
}

/// <summary>A piece of work and the run that it belongs to.</summary>
public readonly record struct RunWork(RunId RunId, WorkKey Work) : IWireMessage;
