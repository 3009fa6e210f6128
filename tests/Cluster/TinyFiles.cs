using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A folder with a small corpus and the settings of runs that take seconds.</summary>
internal sealed class TinyFiles : IDisposable
{
    /// <summary>Of <see cref="ClusterConfig"/>.</summary>
    public const int Replicas = 4, Rounds = 15;

    public TinyFiles()
    {
        MadeUpText.Write(Corpus, files: 20, words: 400);
        File.WriteAllText(Config, Settings("replicas = 2, inner-steps = 10, rounds = 24", "sequences = 8", "layers = 2"));
        // Rounds that take some tenths of a second, so that something can happen in one, and enough of them for all that is to happen.
        File.WriteAllText(ClusterConfig, Settings(
            $"replicas = {Replicas}, inner-steps = 20, rounds = {Rounds}", "sequences = 4", "layers = 1"));
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("elastic-").FullName;

    public string Corpus => Path.Combine(Root, "text");

    /// <summary>For one process.</summary>
    public string Config => Path.Combine(Root, "tiny.conf");

    /// <summary>For several processes: four replicas.</summary>
    public string ClusterConfig => Path.Combine(Root, "cluster.conf");

    /// <summary>Makes the corpus one of pairs: words, and the same backwards.</summary>
    public void WritePairs()
    {
        Directory.Delete(Corpus, recursive: true);
        Directory.CreateDirectory(Corpus);
        File.WriteAllLines(Path.Combine(Corpus, "pairs.tsv"), Enumerable.Range(0, 2000).Select(i =>
        {
            var word = $"{i * 7919 % 2000:x} {i:x}";
            return $"{word}\t{string.Concat(word.Reverse())}";
        }));
    }

    /// <summary><c>elastic train</c> on this corpus.</summary>
    /// <param name="settings">"key=value".</param>
    /// <param name="changes">Lines of the file of <c>--changes</c>; null for none.</param>
    public string[] Train(
        string data, string devices = "cpu:2", string? config = null, IReadOnlyList<string>? settings = null,
        IReadOnlyList<string>? changes = null)
    {
        var file = Path.Combine(Root, $"{data}.changes");
        if (changes is not null)
            File.WriteAllLines(file, changes);
        return
        [
            "train", "--config", config ?? Config, "--corpus", Corpus, "--data-dir", Path.Combine(Root, data), "--devices", devices,
            "--json", .. (settings ?? []).SelectMany(s => new[] { "--set", s }),
            .. changes is null ? Array.Empty<string>() : ["--changes", file],
        ];
    }

    // A node of this process that has left may still write its last line.
    public void Dispose()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Directory.Delete(Root, true);
                return;
            }
            catch (IOException) when (attempt < 10)
            {
                Thread.Sleep(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    private static string Settings(string run, string batch, string model) => $$"""
        run { name = tiny, averaging = nesterov, {{run}} }
        batch { {{batch}}, micro = 2 }
        model { {{model}}, heads = 2, width = 32, context = 32, dropout = 0.1 }
        optimizer { learning-rate = 1e-3, schedule = linear, warmup-steps = 10, clip = 1.0, weight-decay = 0.1 }
        corpus { tokenizer = byte, held-out = 0.1 }
        checkpoint { every-rounds = 3, keep = 2 }
        evaluation { every-rounds = 4, sequences = 16 }
        """;
}
