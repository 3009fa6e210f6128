using System.Text;

namespace Elastic.Testing;

/// <summary>Runs a command line of ours.</summary>
/// <param name="leaving">Asks it to end, as SIGTERM does.</param>
/// <returns>The exit code.</returns>
public delegate Task<int> CommandLineRun(string[] arguments, TextWriter output, TextWriter error, CancellationToken leaving);

/// <summary>
/// A command in the caller's process, which has compiled the code of it once for all. It has no life of its own: nobody can kill it or make
/// it stand still.
/// </summary>
internal sealed class CommandHere : RunningCommand
{
    // Of a test that failed in the middle: a node that cannot leave is left behind.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _ending = new();
    private readonly Task<int> _running;

    public CommandHere(CommandLineRun run, IEnumerable<string> arguments)
    {
        string[] words = [.. arguments];
        _running = Task.Run(async () =>
        {
            await using LineWriter output = new(l => Note(l, isError: false)), error = new(l => Note(l, isError: true));
            return await run(words, output, error, _ending.Token);
        });
    }

    public override string Name => "a command in this process";

    public override bool HasEnded => _running.IsCompleted;

    public override void AskToEnd() => _ending.Cancel();

    public override async Task<int> EndAsync(TimeSpan? deadline = null)
    {
        try
        {
            return await _running.WaitAsync(deadline ?? Deadline);
        }
        catch (TimeoutException e)
        {
            throw Late(e);
        }
    }

    public override void Dispose()
    {
        AskToEnd();
        if (_running.Wait(Patience))
            _ending.Dispose();
    }

    // Hands on whole lines, and what is left at the end.
    private sealed class LineWriter(Action<string> note) : TextWriter
    {
        private readonly StringBuilder _line = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            lock (_line)
            {
                if (value == '\n')
                    End();
                else if (value != '\r')
                    _line.Append(value);
            }
        }

        protected override void Dispose(bool disposing)
        {
            lock (_line)
            {
                if (_line.Length > 0)
                    End();
            }

            base.Dispose(disposing);
        }

        private void End()
        {
            note(_line.ToString());
            _line.Clear();
        }
    }
}
