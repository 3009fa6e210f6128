using System.Runtime.InteropServices;
using Elastic.Foundation;

namespace Elastic.Host.Display;

/// <summary>
/// The terminal below a live display, which hides the cursor and redraws lines. Shows the cursor before the process is stopped (Ctrl-Z) or
/// ended (Ctrl-\, a second Ctrl-C), and has the display drawn anew after it goes on and after the window's size changed.
/// </summary>
internal sealed class Terminal(TextWriter output, Action stopProcess) : IDisposable
{
    private const string ShowCursor = "\e[?25h", HideCursor = "\e[?25l", ClearScreen = "\e[2J\e[H";

    private readonly List<PosixSignalRegistration> _signals = [];
    private Action _redraw = () => { };

    /// <summary>The terminal of this process.</summary>
    public static Terminal Of(TextWriter output) => new(output, ProcessSignals.Stop);

    /// <summary>Begins to listen.</summary>
    /// <param name="redraw">Draws everything again; the cursor is at the top of an empty screen then.</param>
    public void Listen(Action redraw)
    {
        _redraw = redraw;
        PosixSignal[] signals =
        [
            LinuxSignals.TerminalStop, LinuxSignals.Continue, LinuxSignals.WindowChange,
            PosixSignal.SIGQUIT, PosixSignal.SIGINT, PosixSignal.SIGTERM,
        ];
        foreach (var signal in signals)
            _signals.Add(PosixSignalRegistration.Create(signal, context => context.Cancel |= Handle(context.Signal)));
    }

    /// <summary>Handles a signal.</summary>
    /// <returns>True where nothing else is to happen.</returns>
    public bool Handle(PosixSignal signal)
    {
        switch (signal)
        {
            case LinuxSignals.TerminalStop:
                Write(ShowCursor + "\n");
                stopProcess();
                return true;
            case LinuxSignals.Continue or LinuxSignals.WindowChange:
                // The shell has written below the lines, or the terminal has wrapped them anew: nobody knows in how many rows they stand.
                Write(HideCursor + ClearScreen);
                _redraw();
                return false;
            default:
                Write(ShowCursor);
                return false;
        }
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
    }

    private void Write(string sequence)
    {
        try
        {
            output.Write(sequence);
            output.Flush();
        }
        catch (IOException)
        {
            // The terminal was closed.
        }
    }
}
