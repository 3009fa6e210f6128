using System.Threading.Channels;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Foundation;
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

    // As many as are worth seeing again on a screen that is drawn anew; the run's log has all of them.
    private const int NoticesKept = 8;

    private readonly IAnsiConsole _console;
    private readonly Terminal? _terminal;
    private readonly Queue<string> _notices = [];
    private readonly Channel<Action<LiveDisplayContext>> _work =
        Channel.CreateUnbounded<Action<LiveDisplayContext>>(new() { SingleReader = true });
    private readonly Task _drawing;
    private IReadOnlyList<string> _header = [];
    private string? _notice;

    /// <param name="terminal">The terminal of the console; null for none. Disposed of with the display.</param>
    public LiveDisplay(IAnsiConsole console, Terminal? terminal = null)
    {
        (_console, _terminal) = (console, terminal);
        _drawing = console.Live(new Text("")).StartAsync(DrawAsync);
        terminal?.Listen(() => Post(_ => WriteNotices()));
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

    public void Text(BuildSight progress) => Post(live => live.UpdateTarget(Rows(
    [
        Line(BuildLines.Of(progress)), Bar(progress.OfBytes > 0 ? (double)progress.Bytes / progress.OfBytes : 0),
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
            Line(Join(RunLines.Loss(view), RunLines.ValidationLoss(view), RunLines.Scale(view)), Color.Green),
            Line(Join(
                RunLines.Speed(view), RunLines.Left(view), $"{view.Devices} {(view.Devices == 1 ? "device" : "devices")}",
                RunLines.Fingerprint(view))),
            Bar(RunLines.Share(view)),
        ]));
    });

    public async ValueTask DisposeAsync()
    {
        _terminal?.Dispose();
        _work.Writer.TryComplete();
        try
        {
            await _drawing;
        }
        catch (IOException)
        {
            // The terminal was closed.
        }
    }

    private void Post(Action<LiveDisplayContext> draw) => _work.Writer.TryWrite(draw);

    private async Task DrawAsync(LiveDisplayContext live)
    {
        try
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
        catch (IOException)
        {
            _work.Writer.TryComplete();                         // the terminal was closed; the run goes on without a display
        }
    }

    // Spectre writes text above the live lines. One call, so that they are redrawn once.
    private void WriteAbove(string text)
    {
        _notices.Enqueue(text);
        if (_notices.Count > NoticesKept)
            _notices.Dequeue();
        _console.Write(Notices([text]));
    }

    private void WriteNotices()
    {
        if (_notices.Count > 0)
            _console.Write(Notices(_notices));
    }

    private static NoticeLines Notices(IEnumerable<string> texts) =>
        new([.. texts.Select(TerminalText.Printable)], new Style(Color.Yellow));

    private Rows Rows(IEnumerable<IRenderable> lines) => new([.. _header.Select(h => Line(h, Color.Aqua)), .. lines]);

    private Text Bar(double share) => Line($"{Units.Bar(share, Math.Clamp(_console.Profile.Width - 8, 10, LargestBar))} {share,4:0 %}");

    // Text, not Markup: a corpus or a file name may hold square brackets.
    private static Text Line(string text, Color? color = null) =>
        new(TerminalText.Printable(text), new Style(color)) { Overflow = Overflow.Ellipsis };

    private static string Join(params string[] parts) => string.Join("   ", parts.Where(p => p.Length > 0));
}
