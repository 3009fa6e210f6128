using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>
/// Lines for files, pipes and scripts: one per committed round, but at most one every two seconds; and one every ten seconds while a
/// round takes longer, so that silence means a hang. Notices and skipped steps have lines of their own.
/// </summary>
internal sealed class PlainDisplay(TextWriter output, TimeProvider time) : IRunDisplay
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2), Longest = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private long? _written;
    private RunView? _shown;
    private RunView? _last;

    public void Header(IReadOnlyList<string> lines) => Write(lines);

    public void Notice(string text) => Write([text]);

    public void Corpus(CorpusProgress progress)
    {
        lock (_gate)
        {
            if (Since(_written) >= Shortest)
                WriteNow(RunLines.Corpus(progress));
        }
    }

    public void Text(BuildSight progress)
    {
        lock (_gate)
        {
            if (Since(_written) >= Shortest)
                WriteNow(BuildLines.Of(progress));
        }
    }

    public void Show(RunView view)
    {
        lock (_gate)
        {
            if (view.Notice is { } notice && notice != _shown?.Notice)
                output.WriteLine(notice);
            if (RunLines.Skipped(_last, view) is { } skipped)
                output.WriteLine(skipped);
            _last = view;
            var isLast = view.Phase is RunPhase.Finished or RunPhase.Stopped || view.Failure is not null;
            var isNews = _shown is null || view.Round > _shown.Round || view.ValLoss != _shown.ValLoss;
            if (isLast || (isNews && Since(_written) >= Shortest) || (view.Steps != _shown?.Steps && Since(_written) >= Longest))
            {
                _shown = view;
                WriteNow(RunLines.Progress(view));
            }
            else if (_shown is not null)
            {
                _shown = _shown with { Notice = view.Notice };
            }
        }
    }

    public ValueTask DisposeAsync() => new(output.FlushAsync());

    private void Write(IEnumerable<string> lines)
    {
        lock (_gate)
        {
            foreach (var line in lines)
                output.WriteLine(line);
        }
    }

    private void WriteNow(string line)
    {
        output.WriteLine(line);
        output.Flush();
        _written = time.GetTimestamp();
    }

    private TimeSpan Since(long? timestamp) => timestamp is { } then ? time.GetElapsedTime(then) : TimeSpan.MaxValue;
}
