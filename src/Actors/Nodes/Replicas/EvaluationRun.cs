using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes.Devices;
using Elastic.Corpus;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>Scores a version on the held-out text: the mean over evenly spread blocks, summed in block order.</summary>
internal sealed class EvaluationRun(NodeRun run, NodeCommand.Evaluate order, DeviceGroup devices, ReplicaMemory memory, BlockReader reader)
{
    private const string HeldOut = "held-out";

    /// <summary>The score; null when it was stopped before.</summary>
    public async Task<RunCommand?> RunAsync(CancellationToken stop)
    {
        await run.FetchParametersAsync(order.Parameters);
        await Task.Run(() => memory.LoadParameters(run.Blobs, order.Parameters), CancellationToken.None);
        await devices.AttachAsync(run.Settings, memory.Vectors);

        var blocks = HeldOutSample.Choose(run.Schedule.HeldOut!, run.Settings.Evaluation.Sequences);
        var samples = new List<Sample>();
        foreach (var rows in blocks.Chunk(run.Settings.Batch.Micro))
            samples.AddRange(Sample.Cut(await reader.ReadAsync(rows, CancellationToken.None), rows.Length));

        var losses = await devices.EvaluateAsync(run.Architecture.Batching.MicroBatches(samples, run.Settings.Batch.Micro), stop);
        if (stop.IsCancellationRequested)
            return null;
        var scores = new ScoreSums();
        foreach (var block in losses)
            scores.Merge(HeldOut, block);
        var loss = scores[HeldOut].Mean;
        var bitsPerByte = BitsPerByte.Of(loss, run.Corpus.Manifest.HeldOut.Tokens, run.Corpus.Manifest.HeldOut.Bytes);
        return new RunCommand.FinishEvaluation(run.Id, run.Node, new VersionScore(order.Version, loss, bitsPerByte));
    }
}
