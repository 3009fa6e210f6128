using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>Faults of the machine that a test simulates: nothing outside a node can make it return wrong results.</summary>
/// <param name="Contribution">Called with a replica's vectors before the node stores its contribution.</param>
/// <param name="Version">Version of Elastic that the node reports in place of its own.</param>
/// <param name="Arithmetic">Arithmetic that the node reports in place of its own.</param>
/// <param name="AfterStep">
/// Waited for after every inner step of a round, once it was reported; the token says that the node is to hand its replica over.
/// </param>
/// <param name="BeforeDeviceWork">Called on a device's thread before each piece of its work; what it throws, the device throws.</param>
/// <param name="Deadlines">When a device of a step counts as lost, in place of the default; asked whenever the devices change.</param>
/// <param name="FreeMemoryBytes">Memory that is free, in place of the machine's.</param>
/// <param name="TokensPerShard">Tokens after which a shard of a corpus is closed, in place of what is usual.</param>
/// <param name="AfterWindow">Called by the build of a corpus that runs read meanwhile, after each window, with the shards so far.</param>
/// <param name="BeforePiece">
/// Waited for, with the name of the file, before a piece of a source is read for a corpus; the token says that nobody wants it any more.
/// </param>
/// <param name="BuildStep">
/// Called with the name of each step of the build of a corpus in this process, before it is taken: see <see cref="CorpusBuilder.Step"/>.
/// </param>
/// <param name="Transport">Connections that break or are slow, made of the process's own.</param>
internal sealed record NodeFaults(
    Action<ReplicaVectors>? Contribution = null, string? Version = null, string? Arithmetic = null,
    Func<int, CancellationToken, Task>? AfterStep = null, Func<Transport, Transport>? Transport = null,
    Action<DeviceId>? BeforeDeviceWork = null, Func<StepDeadlines?>? Deadlines = null, long? FreeMemoryBytes = null,
    long TokensPerShard = CorpusWriter.TokensPerShard, Action<int>? AfterWindow = null,
    Func<string, CancellationToken, Task>? BeforePiece = null, Action<string>? BuildStep = null)
{
    public static readonly NodeFaults None = new();
}
