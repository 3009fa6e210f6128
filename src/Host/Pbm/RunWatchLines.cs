using Elastic.Host.Display;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>
/// The lines that a watch prints of the views: each committed round, each change between working and resting, the end, between those the
/// progress, at most once a second, each score by source, steps that were skipped, and every five seconds of a wait what the run waits for.
/// </summary>
internal sealed class RunWatchLines(TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    // Less would be said of every short wait within a round, more would leave people without a sign.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private RunView? _shown;
    private RunView? _last;
    private string? _notice;
    private int? _scored;
    private long _written;
    private long _goingOn = time.GetTimestamp();                       // when the run was last seen not to wait, or was last said to

    /// <summary>The lines of the next view: none, or its notice and its progress.</summary>
    public IEnumerable<PbmLine> Of(RunView view)
    {
        if (view.Notice is { } notice && notice != _notice)
            yield return new PbmLine(notice);
        _notice = view.Notice;
        if (RunLines.Skipped(_last, view) is { } skipped)
            yield return new PbmLine(skipped);
        _last = view;
        if (view.WaitsFor is null)
            _goingOn = time.GetTimestamp();
        else if (time.GetElapsedTime(_goingOn) >= Patience)
        {
            _goingOn = time.GetTimestamp();
            yield return new PbmLine($"waits for {view.WaitsFor}");
        }

        if (view.ScoredRound != _scored && RunLines.Losses(view.SourceScores) is { Length: > 0 } sources)
            yield return new PbmLine($"val by source of round {view.ScoredRound}: {sources}");
        if (view.ScoredRound != _scored && RunLines.Losses(view.LanguageScores) is { Length: > 0 } languages)
            yield return new PbmLine($"val by language of round {view.ScoredRound}: {languages}");
        _scored = view.ScoredRound;
        var isNews = _shown is null || view.Round != _shown.Round || IsResting(view) != IsResting(_shown)
            || view.Phase is RunPhase.Finished or RunPhase.Stopped || view.Failure is not null;
        if (!isNews && (view == _shown || time.GetElapsedTime(_written) < Shortest))
            yield break;
        (_shown, _written) = (view, time.GetTimestamp());
        yield return new PbmLine(
            RunLines.Progress(view, IsResting(view) ? RunLines.Phase(view) : "", Table.Width), RunJson.Object(view));
    }

    private static bool IsResting(RunView view) => view.Phase is RunPhase.Waiting or RunPhase.Paused;
}
