using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>
/// TensorBoard's files of all runs of a cluster, written by the seed that supervises them, in the runs' folders of its data directory: the
/// next seed goes on in its own.
/// </summary>
/// <param name="runs">Views of all runs.</param>
/// <param name="supervises">True while the runs are supervised in this process.</param>
internal sealed class ClusterDiagrams(
    DataDirectory data, Func<CancellationToken, Task<RunView[]>> runs, Func<bool> supervises, Action<string> notice)
{
    // What a diagram of hours shows; a view costs the supervisor some microseconds.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    private readonly Dictionary<RunId, (long Steps, TensorBoardLog? Log)> _known = [];

    /// <summary>Writes until the end of the process.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                if (supervises() && await ViewsAsync(cancel) is { } views)
                    Write(views);
                await Task.Delay(Look, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Each value is in its file already.
        }
    }

    /// <summary>
    /// Writes what is new; a run that does not move gets no file. Files of runs that rest, or are gone, are closed: one that goes on gets a
    /// new file.
    /// </summary>
    /// <param name="views">Of all runs that there are.</param>
    public void Write(IReadOnlyList<RunView> views)
    {
        foreach (var gone in _known.Keys.Except(views.Select(v => v.RunId)).ToList())
        {
            _known[gone].Log?.Dispose();
            _known.Remove(gone);
        }

        foreach (var view in views)
        {
            if (!_known.TryGetValue(view.RunId, out var known))
                known = (view.Steps, null);
            if (known.Log is null && view.Steps != known.Steps)
                known = known with { Log = new TensorBoardLog(data.Run(view.RunId).TensorBoard, notice) };
            known.Log?.Write(view);
            if (view.Failure is not null || view.Phase is RunPhase.Finished or RunPhase.Stopped)
            {
                known.Log?.Dispose();
                known = known with { Log = null };
            }

            _known[view.RunId] = known with { Steps = view.Steps };
        }
    }

    // Null where the supervisors are moving, or busy: the next look is soon.
    private async Task<RunView[]?> ViewsAsync(CancellationToken cancel)
    {
        try
        {
            return await runs(cancel);
        }
        catch (ElasticException)
        {
            return null;
        }
    }
}
