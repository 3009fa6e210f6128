using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>All kinds of work, in the order in which they are given out.</summary>
public static class WorkKinds
{
    /// <summary>Copies first: they protect what is there. Score and checkpoint go before the next round takes the devices.</summary>
    public static IReadOnlyList<WorkKind> All { get; } =
        [CopyWork.Kind, InitializeWork.Kind, EvaluateWork.Kind, TakeCheckpointWork.Kind, ComputeWork.Kind,
            ComputeStageWork.Kind, AverageWork.Kind, AssembleWork.Kind, ScoreRowsWork.Kind, ReadPieceWork.Kind,
            TokenizePieceWork.Kind];

    /// <summary>Null where there is no kind of that name.</summary>
    public static WorkKind? Find(string name) => All.FirstOrDefault(k => k.Name == name);

    /// <summary>The kind of a piece of work.</summary>
    /// <exception cref="ArgumentException">There is none: the key is not of this version.</exception>
    public static WorkKind Of(WorkKey key) =>
        Find(key.Kind) ?? throw new ArgumentException($"there is no kind of work \"{key.Kind}\"", nameof(key));
}
