using System.Globalization;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.CorpusFigures;

/// <summary>
/// What each stage costs: builds of the same text without stages, with each one alone and with all of them, by one thread, in processor
/// time. Also the digest of what each build wrote, by which a faster stage shows that it is the same one.
/// </summary>
internal static class StageSpeeds
{
    /// <param name="paths">Files or folders of text.</param>
    /// <param name="turns">Times that all are built, one after the other; of each the fastest counts.</param>
    public static void Run(IReadOnlyList<string> paths, int turns)
    {
        // Those that need a file of their own are not measured.
        var kinds = StageKinds.All.Where(IsComplete).ToList();
        // These compile the program, and load the counts of the stage language.
        Build(paths, kinds);
        Build(paths, []);
        IReadOnlyList<StageKind>[] chains = [[], .. kinds.Select(kind => new[] { kind }), kinds];
        var builds = chains.Select(_ => new List<(double Seconds, long Bytes, string Digest)>()).ToList();
        for (var turn = 0; turn < turns; turn++)
        {
            foreach (var (chain, built) in chains.Zip(builds))
                built.Add(Build(paths, chain));
        }
        var fastest = builds.ConvertAll(built => built.MinBy(b => b.Seconds));
        var (bare, size) = (fastest[0].Seconds, fastest[0].Bytes / 1e6);
        Console.WriteLine(Format($"{size:0.0} MB of text; one thread, seconds of processor time, the fastest of {turns}"));
        Console.WriteLine("| stage | seconds | more than without | MB/s of a core | of the build |");
        Console.WriteLine("|---|---|---|---|---|");
        Console.WriteLine(Format($"| none: read, pack, write | {bare:0.00} | | {size / bare:0.0} | |"));
        foreach (var (kind, (seconds, _, digest)) in kinds.Zip(fastest.Skip(1)))
        {
            var more = Math.Max(0.001, seconds - bare);
            Console.WriteLine(Format($"| {kind.Name} | {seconds:0.00} | {more:0.00} | {size / more:0.0} | {digest} |"));
        }
        var (all, _, of) = fastest[^1];
        Console.WriteLine(Format($"| all of them | {all:0.00} | {all - bare:0.00} | {size / all:0.0}, reading included | {of} |"));
    }

    private static bool IsComplete(StageKind kind)
    {
        var problems = new List<string>();
        kind.Plan([], problems);
        return problems.Count == 0;
    }

    private static (double Seconds, long Bytes, string Digest) Build(IReadOnlyList<string> paths, IReadOnlyList<StageKind> kinds)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
        try
        {
            var manifest = BuildManifest.Of(
                [[new SettingText("source.name", ["all"], false, "the benchmark"),
                    new SettingText("source.paths", paths, true, "the benchmark")]],
                [.. kinds.Select(kind => (kind, (IReadOnlyList<SettingText>)[]))]);
            var before = Environment.CpuUsage.TotalTime;
            var text = new CorpusBuilder(manifest, new PieceStore(Path.Combine(folder, "pieces")), Path.Combine(folder, "texts"))
                .Run(1, null, CancellationToken.None);
            var seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
            var files = Digest.Of(System.Text.Encoding.ASCII.GetBytes(string.Join('\n', text.Report.Files.Select(f => f.Sha256))));
            return (seconds, text.Report.Read.Sum(r => r.Bytes), files.Hex[..12]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Format(FormattableString line) => line.ToString(CultureInfo.InvariantCulture);
}
