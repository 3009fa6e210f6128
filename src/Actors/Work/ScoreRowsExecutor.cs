using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Work;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Work;

/// <summary>Scores a piece of a text: the rows of a blob, with the parameters of a version.</summary>
internal sealed class ScoreRowsExecutor : WorkExecutor<NodeRun>
{
    private const int AnyToken = 0;

    public override string Kind => ScoreRowsWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Devices;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var (order, context, settings) = ((ScoreRows)content, devices!, run.Setup.Settings);
        IReadOnlyList<ScoredRow> rows;
        try
        {
            var bytes = await run.Fetcher.ReadAsync(order.Rows, ScoredPiece.MostBytes(settings.Model.Context), context.Stop);
            rows = ScoredPiece.Read(bytes, settings.Model);
            await run.Fetcher.CopyParametersAsync(order.Parameters, context.Stop);
        }
        catch (OperationCanceledException) when (context.Stop.IsCancellationRequested)
        {
            return null;
        }

        await Task.Run(() => context.Memory.LoadParameters(run.Blobs, order.Parameters), CancellationToken.None);
        await context.Devices.AttachAsync(settings, context.Memory.Vectors);
        return new RowsScored(await context.Devices.ScoreAsync(rows, AnyToken, run.Faults.Deadlines?.Invoke(), run.PieceTimes));
    }
}
