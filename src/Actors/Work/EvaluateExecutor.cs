using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Work;

/// <summary>Scores a version on the held-out text: the mean over evenly spread blocks, summed in block order.</summary>
internal sealed class EvaluateExecutor : WorkExecutor
{
    private const string HeldOut = "held-out";

    public override string Kind => EvaluateWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Devices;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var (order, context) = ((Evaluate)content, devices!);
        var reader = run.Reader(true);
        await run.FetchParametersAsync(order.Parameters);
        await Task.Run(() => context.Memory.LoadParameters(run.Blobs, order.Parameters), CancellationToken.None);
        await context.Devices.AttachAsync(run.Settings, context.Memory.Vectors);

        var blocks = HeldOutSample.Choose(run.Schedule.HeldOut!, run.Settings.Evaluation.Sequences);
        var samples = new List<Sample>();
        foreach (var rows in blocks.Chunk(run.Settings.Batch.Micro))
            samples.AddRange(Sample.Cut(await reader.ReadAsync(rows, CancellationToken.None), rows.Length));

        var losses = await context.Devices.EvaluateAsync(
            run.Architecture.Batching.MicroBatches(samples, run.Settings.Batch.Micro), context.Stop);
        if (context.Stop.IsCancellationRequested)
            return null;
        var scores = new ScoreSums();
        foreach (var block in losses)
            scores.Merge(HeldOut, block);
        var loss = scores[HeldOut].Mean;
        var heldOut = run.Corpus.Manifest.HeldOut;
        var bitsPerByte = BitsPerByte.Of(loss, heldOut.Tokens - run.Corpus.HeldOutShards.Sum(s => s.Uncounted), heldOut.Bytes);
        return new Evaluated(new VersionScore(order.Version, loss, bitsPerByte));
    }
}
