using System.Collections.Concurrent;
using Elastic.Actors.Corpora;
using Elastic.Actors.Work;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Model.Training;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>
/// A run that a node works for: its set-up in each of its segments, its blobs, and what was found out since it was opened. Thread-safe: all
/// of the node's actors share it.
/// </summary>
internal sealed class NodeRun : NodeJob
{
    private readonly CorpusFiles _corpora;
    private readonly ReaderWay _readers;
    private readonly ConcurrentDictionary<(string Changes, string Mixtures), RunSetup> _segments = new();

    /// <exception cref="ElasticException">The model does not fit the corpus, or does not train in its precision.</exception>
    public NodeRun(NodeCommand.OpenRun run, NodeContext context, BuiltCorpus corpus, BlobStore blobs) : base(run.RunId, context, blobs)
    {
        (_corpora, _readers, Stages, Held) = (context.Corpora, context.Readers, context.Stages, context.Held);
        Setup = new RunSetup(run, context.Facts.Sharing, context.Paths, corpus);
        Fetcher = new RunFetcher(blobs, Setup.Layout, context.Blobs, context.Fetcher);
    }

    /// <summary>The set-up under the settings that the run was opened with.</summary>
    public RunSetup Setup { get; }

    /// <summary>The set-up under the settings of a segment, which an order names: they may have changed since the run was opened.</summary>
    /// <exception cref="ElasticException">They are none that may change, or cannot be used together.</exception>
    public RunSetup SetupIn(string changes, string mixtures = "") => changes.Length == 0 && mixtures.Length == 0 ? Setup
        : _segments.GetOrAdd((changes, mixtures), key => Setup.In(key.Changes, key.Mixtures));

    /// <inheritdoc cref="SetupIn(string, string)"/>
    public RunSetup SetupIn(Coordination.Segment segment) => SetupIn(segment.Changes, segment.Mixtures);

    /// <inheritdoc/>
    public override RunFetcher Fetcher { get; }

    /// <summary>What the nodes of other stages of a replica are connected by.</summary>
    public StageConnections Stages { get; }

    /// <inheritdoc cref="HeldCheckpoints"/>
    public HeldCheckpoints Held { get; }

    /// <inheritdoc cref="ComputedReplicas"/>
    public ComputedReplicas Computed { get; } = new();

    /// <inheritdoc cref="SurveyedSets"/>
    public SurveyedSets Surveyed { get; init; } = new();

    /// <summary>What its steps, and the pieces of its evaluations, take here.</summary>
    public PieceTimes PieceTimes { get; } = new();

    /// <summary>Reads training blocks, or held-out ones.</summary>
    public BlockReader Reader(bool heldOut) =>
        new(_readers, _corpora, Setup.Corpus, heldOut ? Setup.Schedule.HeldOut! : Setup.Schedule.Train, heldOut);

    /// <summary>Keeps the tokenizer's file in the run's folder, where the tokenizer came from a file.</summary>
    /// <exception cref="BlobLostException">It is not here, and no node has it.</exception>
    public Task KeepTokenizerAsync(CancellationToken cancel) => _corpora.CopyTokenizerAsync(Setup.Corpus, Paths.Run(Id), cancel);
}
