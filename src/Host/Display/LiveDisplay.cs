using System.Threading.Channels;
using Elastic.Actors.Corpora;
using Elastic.Messages.Runs;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Elastic.Host.Display;

/// <summary>
/// A few lines that redraw themselves at the bottom of a terminal; notices scroll above them. One task draws, because Spectre's console
/// is not made for two threads; callers only queue work for the task.
/// </summary>
internal sealed class LiveDisplay : IRunDisplay
{
    private const int LargestBar = 60;

    private readonly IAnsiConsole _console;
    private readonly Channel<Action<LiveDisplayContext>> _work =
        Channel.CreateUnbounded<Action<LiveDisplayContext>>(new() { SingleReader = true });
    private readonly Task _drawing;
    private IReadOnlyList<string> _header = [];
    private string? _notice;

    public LiveDisplay(IAnsiConsole console)
    {
        _console = console;
        _drawing = console.Live(new Text("")).StartAsync(DrawAsync);
    }

    public void Header(IReadOnlyList<string> lines) => Post(live =>
    {
        _header = lines;
        live.UpdateTarget(Rows([]));
    });

    public void Corpus(CorpusProgress progress) => Post(live => live.UpdateTarget(Rows(
    [
        Line(RunLines.Corpus(progress)), Bar(progress.TotalBytes > 0 ? (double)progress.BytesRead / progress.TotalBytes : 0),
    ])));

    public void Notice(string text) => Post(_ => WriteAbove(text));

    public void Show(RunView view) => Post(live =>
    {
        if (view.Notice is { } notice && notice != _notice)
            WriteAbove(notice);
        _notice = view.Notice ?? _notice;
        live.UpdateTarget(Rows(
        [
            Line($"round {view.Round}/{view.Rounds}   step {view.Steps}/{view.TotalSteps}   {RunLines.Phase(view)}"),
            Line(Join(RunLines.Loss(view), RunLines.ValidationLoss(view)), Color.Green),
            Line(Join(
                RunLines.Speed(view), RunLines.Left(view), $"{view.Devices} {(view.Devices == 1 ? "device" : "devices")}",
                RunLines.Fingerprint(view))),
            Bar(RunLines.Share(view)),
        ]));
    });

    public async ValueTask DisposeAsync()
    {
        _work.Writer.TryComplete();
        await _drawing;
    }

    private void Post(Action<LiveDisplayContext> draw) => _work.Writer.TryWrite(draw);

    private async Task DrawAsync(LiveDisplayContext live)
    {
        await foreach (var draw in _work.Reader.ReadAllAsync())
        {
            draw(live);
            // Of several waiting views, draws only the newest.
            if (!_work.Reader.TryPeek(out _))
                live.Refresh();
        }

        live.Refresh();
    }

    // Spectre writes text above the live lines. One call, so that they are redrawn once.
    private void WriteAbove(string text) => _console.Write(new Text(text + "\n", new Style(Color.Yellow)));

    private Rows Rows(IEnumerable<IRenderable> lines) => new([.. _header.Select(h => Line(h, Color.Aqua)), .. lines]);

    private Text Bar(double share) => Line($"{Units.Bar(share, Math.Clamp(_console.Profile.Width - 8, 10, LargestBar))} {share,4:0 %}");

    // Text, not Markup: a corpus or a file name may hold square brackets.
    private static Text Line(string text, Color? color = null) => new(text, new Style(color)) { Overflow = Overflow.Ellipsis };

    private static string Join(params string[] parts) => string.Join("   ", parts.Where(p => p.Length > 0));
}
