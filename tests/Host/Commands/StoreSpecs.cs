using System.Globalization;
using System.Text.Json;
using Elastic.Host.Commands;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>Commands of this process beside an S3-compatible store, with a folder and a corpus.</summary>
public abstract class StoreSpecs : IAsyncLifetime
{
    private readonly StringWriter _output = new(), _error = new();

    private protected string Folder { get; } = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    private protected SmallObjectStore Store { get; private set; } = null!;

    /// <summary>What the commands have said.</summary>
    private protected string Said => _error.ToString();

    public async ValueTask InitializeAsync()
    {
        Store = await SmallObjectStore.StartAsync();
        File.WriteAllText(Corpus, string.Join(' ', Enumerable.Range(0, 2000).Select(
            i => (i * 2654435761L % 9973).ToString("x", CultureInfo.InvariantCulture))));
    }

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        await _output.DisposeAsync();
        await _error.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    private string Corpus => Path.Combine(Folder, "a.txt");

    private protected Task<int> Elastic(params string[] words) => ElasticCommandLine.RunAsync(words, _output, _error);

    /// <summary>The words that train a small model.</summary>
    /// <param name="data">The data directory, in the folder.</param>
    private protected string[] Training(string data, string[] settings, string[] more)
    {
        string[] all = ["batch.sequences=4", "batch.micro=2", "optimizer.schedule=constant", .. settings];
        return ["train", "--json", "--corpus", Corpus, "--devices", "cpu:1", "--data-dir", Path.Combine(Folder, data),
            .. all.SelectMany(s => new[] { "--set", s }), .. more];
    }

    /// <summary>The fingerprint of a run to its end.</summary>
    private protected async Task<string> TrainAsync(string[] words)
    {
        _output.GetStringBuilder().Clear();
        Assert.True(ExitCodes.Done == await Elastic(words), Said);
        using var result = JsonDocument.Parse(_output.ToString());
        return result.RootElement.GetProperty("fingerprint").GetString()!;
    }
}
