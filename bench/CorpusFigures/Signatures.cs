using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.CorpusFigures;

/// <summary>
/// The shipped stage near-duplicates: signatures of texts a second, and a decision about many signatures. The first hundredth are of texts,
/// each of which is there twice; the others are drawn.
/// </summary>
internal static class Signatures
{
    public static void Run(int documents)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
        try
        {
            var settings = SettingsRecord.DefaultsOf<NearDuplicatesSettings>();
            var stage = new NearDuplicates(settings);
            var texts = Texts(Math.Clamp(documents / 100, 2, 20_000));
            var source = new SettingText("source.paths", [Builds.Write(folder, texts)], true, "the benchmark");
            var manifest = BuildManifest.Of([[new SettingText("source.name", ["all"], false, "the benchmark"), source]], []);
            var store = new PieceStore(Path.Combine(folder, "pieces"));
            var pieces = SourcePiece.Of(manifest, 0, PartSize.Default, []).ToList();
            store.Read(pieces[0], manifest, CancellationToken.None);

            var clock = Clock();
            var sketches = texts.ConvertAll(t => stage.Sketch(new Draft(new DocumentFacts("all", "all", DocumentFormat.JsonLines), t)));
            var (bytes, seconds) = (texts.Sum(t => (long)t.Length), Clock() - clock);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"signatures: {texts.Count / seconds:0} documents/s of one core, {bytes / seconds / 1e6:0.0} MB/s"));

            using var all = new DocumentTexts(store, pieces, Path.Combine(folder, "work"), CancellationToken.None);
            clock = Clock();
            var watch = Stopwatch.StartNew();
            var work = new StageWork(Path.Combine(folder, "work"), CancellationToken.None);
            var removed = stage.Decide(Candidates(sketches, documents, settings), all, work).Count();
            seconds = Clock() - clock;
            using var self = Process.GetCurrentProcess();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"decision: {documents} documents, {removed} removed, {seconds:0.0} s of processor time "
                + $"({watch.Elapsed.TotalSeconds:0.0} s), {documents / seconds:0} documents/s, "
                + $"peak memory of the process {self.PeakWorkingSet64 / 1048576.0:0} MiB"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<Candidate> Candidates(List<byte[]> sketches, int documents, NearDuplicatesSettings settings)
    {
        foreach (var (i, sketch) in sketches.Index())
            yield return new Candidate(i, sketch);
        var (random, drawn) = (new Random(3), new uint[settings.Bands * settings.Rows]);
        for (var i = sketches.Count; i < documents; i++)
        {
            random.NextBytes(MemoryMarshal.AsBytes(drawn.AsSpan()));
            yield return new Candidate(i, MemoryMarshal.AsBytes(drawn.AsSpan()).ToArray());
        }
    }

    // Texts of 200 words, each twice.
    private static List<string> Texts(int count)
    {
        var random = new Random(5);
        string Text() => string.Join(' ', Enumerable.Range(0, 200).Select(_ => $"w{random.Next(50_000)}"));
        return [.. Enumerable.Range(0, count / 2).Select(_ => Text()).SelectMany(text => new[] { text, text })];
    }

    private static double Clock()
    {
        using var self = Process.GetCurrentProcess();
        return self.TotalProcessorTime.TotalSeconds;
    }
}
