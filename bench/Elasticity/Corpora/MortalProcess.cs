using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Elastic.Actors.Nodes;
using Elastic.Host.Commands;

namespace Elastic.Bench.Elasticity.Corpora;

/// <summary>
/// <c>elastic</c> that kills its own process with SIGKILL in the middle of a step of the build of a corpus, once: the step and how many of
/// its kind come before stand in a file, which goes with the process. When it ends by itself, it leaves the steps that it took.
/// </summary>
/// <param name="file">The file; may be written while the process runs.</param>
internal sealed class MortalProcess(string file)
{
    // A shard of the small corpus that is built: several are to be there.
    private const int TokensPerShard = 20_000;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, int> _taken = [];
    private Death? _death;

    /// <summary>Where the steps are that a process took which ended by itself.</summary>
    public static string StepsOf(string file) => file + ".steps";

    /// <summary>Says where the process dies.</summary>
    public static void Arm(string file, string step, int at)
    {
        File.WriteAllLines(file + ".new", [step, at.ToString(CultureInfo.InvariantCulture)]);
        File.Move(file + ".new", file, overwrite: true);
    }

    public async Task<int> RunAsync(string[] command)
    {
        Read();
        await using var reading = new Timer(_ => Read(), null, Look, Look);
        var code = await ElasticCommandLine.RunAsync(
            command, Console.Out, Console.Error, new NodeFaults(TokensPerShard: TokensPerShard, BuildStep: Take));
        await File.WriteAllLinesAsync(StepsOf(file), _taken.Select(t => $"{t.Value} {t.Key}"));
        return code;
    }

    private void Read()
    {
        if (_death is null && File.Exists(file) && File.ReadAllLines(file) is [var step, var at])
            _death = new Death(step, int.Parse(at, CultureInfo.InvariantCulture));
    }

    private void Take(string step)
    {
        _taken.AddOrUpdate(step, 1, (_, taken) => taken + 1);
        if (_death is not { } death || death.Step != step || Interlocked.Decrement(ref death.Left) != 0)
            return;
        File.Delete(file);
        using var self = Process.GetCurrentProcess();
        self.Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    private sealed class Death(string step, int left)
    {
        public readonly string Step = step;
        public int Left = left;
    }
}
