using System.Text.Json.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>Turns the payload that one version of an event has into the payload of the next version.</summary>
public delegate JsonObject UpCaster(JsonObject payload);

/// <summary>How one type of event is named in the journal.</summary>
/// <param name="Name">Kebab-case, for good: the type may be renamed, the name never.</param>
/// <param name="UpCasters">The first turns version 1 into version 2, and so on; the newest version is one more than there are.</param>
public sealed record EventKind(string Name, Type Type, IReadOnlyList<UpCaster> UpCasters)
{
    public static EventKind Of<TEvent>(string name, params UpCaster[] upCasters) where TEvent : RunEvent =>
        new(name, typeof(TEvent), upCasters);

    /// <summary>The version that is written.</summary>
    public int Version => UpCasters.Count + 1;

    /// <summary>What is written beside the payload: the name, and the version unless it is the first.</summary>
    public string Manifest => Version == 1 ? Name : $"{Name}.{Version}";

    /// <summary>Every event there is: a new one is a record in RunEvent.cs and a line here.</summary>
    public static IReadOnlyList<EventKind> All { get; } =
    [
        Of<RunEvent.RunStarted>("run-started"),
        Of<RunEvent.CorpusPublished>("corpus-published"),
        Of<RunEvent.WindowAdded>("window-added"),
        Of<RunEvent.CorpusCompleted>("corpus-completed"),
        Of<RunEvent.ArithmeticChosen>("arithmetic-chosen"),
        Of<RunEvent.RunPaused>("run-paused"),
        Of<RunEvent.RunResumed>("run-resumed"),
        Of<RunEvent.SettingsChanged>("settings-changed"),
        Of<RunEvent.SegmentPlanned>("segment-planned"),
        Of<RunEvent.RunInitialized>("run-initialized"),
        Of<RunEvent.ReplicaHandedOver>("replica-handed-over"),
        Of<RunEvent.ReplicaComputed>("replica-computed"),
        Of<RunEvent.ReplicaConfirmed>("replica-confirmed"),
        Of<RunEvent.ReplicaContested>("replica-contested"),
        Of<RunEvent.ReplicaSettled>("replica-settled"),
        Of<RunEvent.NodeQuarantined>("node-quarantined"),
        Of<RunEvent.ChunksAveraged>("chunks-averaged"),
        Of<RunEvent.RoundCommitted>("round-committed"),
        Of<RunEvent.VersionEvaluated>("version-evaluated"),
        Of<RunEvent.RunEndedEarly>("run-ended-early"),
        Of<RunEvent.CheckpointRequested>("checkpoint-requested"),
        Of<RunEvent.CheckpointTaken>("checkpoint-taken"),
        Of<RunEvent.CheckpointDropped>("checkpoint-dropped"),
        Of<RunEvent.WorkLost>("work-lost"),
        Of<RunEvent.RolledBack>("rolled-back"),
        Of<RunEvent.RunFinished>("run-finished"),
    ];
}
