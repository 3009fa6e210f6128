namespace Elastic.Cluster.Tests;

/// <summary>A folder with a small corpus and the settings of a run that takes seconds.</summary>
internal sealed class TinyFiles : IDisposable
{
    public TinyFiles()
    {
        Directory.CreateDirectory(Corpus);
        for (var i = 0; i < 20; i++)
            File.WriteAllText(Path.Combine(Corpus, $"{i:D2}.txt"), string.Join(' ', Enumerable.Range(0, 400).Select(w => $"{(i * 1000L + w) * 2654435761 % 9973:x}")));
        File.WriteAllText(Config, """
            run { name = tiny, replicas = 2, inner-steps = 10, rounds = 24, averaging = nesterov }
            batch { sequences = 8, micro = 2 }
            model { layers = 2, heads = 2, width = 32, context = 32, dropout = 0.1 }
            optimizer { learning-rate = 1e-3, schedule = linear, warmup-steps = 10, clip = 1.0, weight-decay = 0.1 }
            corpus { tokenizer = byte, held-out = 0.1 }
            checkpoint { every-rounds = 3, keep = 2 }
            evaluation { every-rounds = 4, sequences = 16 }
            """);
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("elastic-").FullName;

    public string Corpus => Path.Combine(Root, "text");

    public string Config => Path.Combine(Root, "tiny.conf");

    /// <summary>Starts <c>elastic train</c> on this corpus.</summary>
    public ElasticProcess Train(string data, string devices = "cpu:2", params string[] more) => new(
    [
        "train", "--config", Config, "--corpus", Corpus, "--data-dir", Path.Combine(Root, data), "--devices", devices, "--json", .. more,
    ]);

    public void Dispose() => Directory.Delete(Root, true);
}
