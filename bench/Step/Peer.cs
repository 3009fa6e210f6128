using System.Diagnostics;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Step;

/// <summary>PyTorch in a process of its own: does steps when told and says how long they took.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;

    public Peer(string python, ModelSettings model, int batch, int tokens, int threads, bool forEach)
    {
        var start = new ProcessStartInfo(python)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                Path.Combine(AppContext.BaseDirectory, "peer_pytorch.py"), "--layers", $"{model.Layers}", "--width", $"{model.Width}",
                "--heads", $"{model.Heads}", "--tokens", $"{tokens}", "--batch", $"{batch}", "--vocabulary", $"{model.Vocabulary}",
                "--threads", $"{threads}", "--architecture", model.Architecture, "--key-heads", $"{model.KeyHeads}",
                "--feed-forward", $"{model.FeedForward}",
            },
        };
        if (forEach)
            start.ArgumentList.Add("--foreach");
        // GNU OpenMP threads that spin between steps would take the cores from us while it is our turn.
        start.Environment["OMP_WAIT_POLICY"] = "passive";
        _process = Process.Start(start) ?? throw new ElasticException($"{python} does not start: name one with --python");
    }

    /// <summary>Does so many steps; returns the seconds they took.</summary>
    public double Run(int steps)
    {
        _process.StandardInput.WriteLine(steps);
        _process.StandardInput.Flush();
        var answer = _process.StandardOutput.ReadLine() ?? throw new ElasticException("the PyTorch process ended: see its message above");
        return double.Parse(answer, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
