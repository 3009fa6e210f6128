namespace Elastic.Messages.Work;

/// <summary>Names a piece of work of a job, so that it is given out once, or recognised when it is given out twice.</summary>
/// <param name="Kind">Name of the kind of work, e.g. "compute".</param>
/// <param name="Number">The round; for an evaluation or a checkpoint the version.</param>
/// <param name="Index">The replica; for an averaging its first chunk; for a copy its number; else 0.</param>
public readonly record struct WorkKey(string Kind, int Number, int Index = 0) : IWireMessage
{
    /// <summary>A text for people, e.g. "compute of round 5".</summary>
    public override string ToString() => $"{Kind} of round {Number}";
}
