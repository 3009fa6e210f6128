using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Control;

/// <summary>Tells the supervisor of a run which windows of the run's corpus are finished, until all are. Asking twice is safe.</summary>
/// <param name="settings">The run's.</param>
/// <param name="ask">Asks the supervisors.</param>
internal sealed class CorpusFeed(TrainingSettings settings, GrowingCorpus corpus, string who, Func<RunRequest, Task<RunReply>> ask)
{
    // Often enough for people to see soon that the builder is gone.
    private static readonly TimeSpan BetweenSigns = TimeSpan.FromSeconds(20);
    // A supervisor that is just being made anew from the journal is no run yet, and a journal that was set back lacks windows that it had:
    // all of them are said again, for half a minute.
    private const int MostRefusals = 5;

    private static readonly Backoff Retry = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    /// <returns>Why the run does not take the corpus; null where all was said.</returns>
    public async Task<string?> RunAsync(CancellationToken cancel)
    {
        var (window, farthest, refusals) = (0, 0, 0);
        while (true)
        {
            BuiltCorpus? known = null;
            IReadOnlyList<StreamWindow> windows = [];
            using var pause = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            pause.CancelAfter(BetweenSigns);
            try
            {
                known = await corpus.OfShardsAsync((window + 1) * settings.Corpus.StreamWindow, pause.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested && pause.IsCancellationRequested)
            {
                // A sign that the build goes on.
            }
            catch (Exception e) when (!cancel.IsCancellationRequested)
            {
                return await AskAsync(Sign() with { Failure = OneLine.Of(e.Message, 500) }, cancel);
            }

            if (known is not null)
            {
                try
                {
                    windows = StreamWindows.Of(settings, known);
                }
                catch (ElasticException e)
                {
                    // Of the settings, which no other attempt mends.
                    await AskAsync(Sign() with { Failure = OneLine.Of(e.Message, 500) }, cancel);
                    return e.Message;
                }
            }

            string? refusal = null;
            foreach (var request in known is null ? [Sign()] : After(known, windows, window))
            {
                refusal = await AskAsync(request, cancel);
                if (refusal is not null)
                    break;
                window = request.Window is { } said ? said.Number + 1 : window;
            }

            if (window > farthest)
                (farthest, refusals) = (window, 0);
            if (refusal is not null)
            {
                if (++refusals > MostRefusals)
                    return refusal;
                await Task.Delay(Retry.After(refusals - 1), cancel);
                window = 0;
            }
            else if (known is { IsGrowing: false })
                return null;
        }
    }

    // What is to be said of the corpus, from a window on: of the last window, which may have fewer shards, when the corpus is complete.
    private IEnumerable<RunRequest.Grow> After(BuiltCorpus known, IReadOnlyList<StreamWindow> windows, int window)
    {
        foreach (var (number, next) in windows.Index().Skip(window))
            yield return Sign() with
            {
                Manifest = known.ManifestDigest,
                Window = new CorpusWindow(number, next.Samples, [.. next.Shards.Select(s => s.Sha256)]),
            };
        if (!known.IsGrowing)
            yield return Sign() with
            {
                Manifest = known.ManifestDigest,
                End = new CorpusEnd(windows.Sum(w => w.Samples), SampleCut.Of(settings).CountIn(known.HeldOutShards)),
            };
    }

    private RunRequest.Grow Sign() => new(new RunName(settings.Run.Name), Origins.Now(who)) { Corpus = corpus.Id };

    // Until a supervisor answers: the windows that it has not heard of are not lost.
    private async Task<string?> AskAsync(RunRequest request, CancellationToken cancel)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await ask(request) is RunReply.Refused { Why: var why } ? why : null;
            }
            catch (UnavailableException)
            {
                await Task.Delay(Retry.After(attempt), cancel);
            }
        }
    }
}
