using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Messages.Corpora;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Model.Batches;

namespace Elastic.Actors.Work;

/// <summary>Scores a version on the held-out text: the mean over evenly spread blocks, summed in block order, also by source.</summary>
internal sealed class EvaluateExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => EvaluateWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Devices;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        try
        {
            return await EvaluateAsync(run, (Evaluate)content, devices!);
        }
        catch (OperationCanceledException) when (devices!.Stop.IsCancellationRequested)
        {
            return null;
        }
    }

    private static async Task<WorkOutcome?> EvaluateAsync(NodeRun run, Evaluate order, DeviceContext context)
    {
        var (setup, settings, reader) = (run.Setup, run.Setup.Settings, run.Reader(heldOut: true));
        await run.Fetcher.FetchParametersAsync(order.Parameters, context.Stop);
        await Task.Run(() => context.Memory.LoadParameters(run.Blobs, order.Parameters), CancellationToken.None);
        await context.Devices.AttachAsync(settings, context.Memory.Vectors);

        var blocks = HeldOutSample.Choose(setup.Schedule.HeldOut!, settings.Evaluation.Sequences);
        var (samples, sources) = (new List<Sample>(), new List<IReadOnlyList<SourceRun>>());
        // A shard that is being fetched is fetched for other readers, too: it comes, and nobody waits for it here after a stop.
        foreach (var rows in blocks.Chunk(settings.Batch.Micro))
        {
            samples.AddRange(Sample.Cut(await reader.ReadAsync(rows, context.Stop).WaitAsync(context.Stop), rows.Length));
            sources.AddRange(await reader.SourcesAsync(rows, context.Stop).WaitAsync(context.Stop));
        }

        var scores = await context.Devices.EvaluateAsync(
            setup.Architecture.Batching.MicroBatches(samples, settings.Batch.Micro), sources,
            run.Faults.Deadlines?.Invoke(), run.PieceTimes, settings.SampleTokens, context.Stop);
        if (context.Stop.IsCancellationRequested)
            return null;
        var score = HeldOutScore.Of(scores, setup.Corpus);
        return new Evaluated(new VersionScore(order.Version, score.Sum.Mean, score.BitsPerByte), score.Sources, score.Languages);
    }
}
