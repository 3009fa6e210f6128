using System.Globalization;
using System.Text.Json;
using Elastic.Host.Commands;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>A model goes from a run to an S3-compatible store, and another run starts from it there; in this process.</summary>
public sealed class StoreModelSpecs : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();
    private SmallObjectStore _store = null!;

    public async ValueTask InitializeAsync() => _store = await SmallObjectStore.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _output.DisposeAsync();
        await _error.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_export_that_was_broken_off_goes_on_and_config_json_is_stored_last()
    {
        var (data, _) = ExchangedModel.Write(_folder);
        string[] export = ["export", "--run", ExchangedModel.Run, "--out", _store["kept/model"], "--data-dir", data];
        // The store refuses the last file.
        _store.Before = asked =>
        {
            if (asked.StartsWith("PUT kept/model/config.json", StringComparison.Ordinal))
                _store.Failures.Enqueue(403);
        };
        Assert.Equal(ExitCodes.Failed, await Elastic(export));
        Assert.Contains("s3://kept/model/config.json cannot be stored: the store answered 403 Failure: these credentials may not",
            _error.ToString(), StringComparison.Ordinal);
        Assert.False(_store.Objects.ContainsKey("kept/model/config.json"));
        Assert.Equal(4, _store.Objects.Count);

        // Of the same length, but other weights.
        _store.Objects["kept/model/model.safetensors"] = new byte[_store.Objects["kept/model/model.safetensors"].Length];
        _store.Before = null;
        var before = _store.Asked.Count;
        Assert.True(ExitCodes.Done == await Elastic(export), _error.ToString());
        Assert.Equal(
            ["PUT kept/model/model.safetensors", "PUT kept/model/config.json"],
            _store.Asked.Skip(before).Where(a => a.StartsWith("PUT", StringComparison.Ordinal)));
        Assert.Contains("s3://kept/model had 3 of the files already", _error.ToString(), StringComparison.Ordinal);

        // What is whole is not written over, and what is there already is no error.
        Assert.Equal(ExitCodes.Done, await Elastic(export));
        Assert.Equal(ExitCodes.Failed, await Elastic([.. export, "--dtype", "bf16"]));
        Assert.Contains("s3://kept/model holds something else already", _error.ToString(), StringComparison.Ordinal);
        _store.Objects["kept/model/other"] = [1];
        Assert.Equal(ExitCodes.Failed, await Elastic(export));
        Assert.Contains("s3://kept/model/other is there already and is no file of what is to be stored", _error.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_starts_from_a_store_has_the_weights_of_one_that_starts_from_the_folder()
    {
        var (data, fingerprint) = ExchangedModel.Write(_folder);
        var local = Path.Combine(_folder, "local");
        string[] export = ["export", "--run", ExchangedModel.Run, "--data-dir", data, "--out"];
        Assert.Equal(ExitCodes.Done, await Elastic([.. export, local]));
        Assert.Equal(ExitCodes.Done, await Elastic([.. export, _store["kept/model"]]));
        File.WriteAllText(Path.Combine(_folder, "a.txt"), string.Join(' ', Enumerable.Range(0, 2000).Select(
            i => (i * 2654435761L % 9973).ToString("x", CultureInfo.InvariantCulture))));
        var ofFolder = await TrainAsync("of-folder", local);
        // Broken off on the way.
        _store.Breaks = (1000, 2);
        Assert.Equal(ofFolder, await TrainAsync("of-store", _store["kept/model"]));
        Assert.NotEqual(fingerprint, ofFolder);

        // The copy is used again.
        var before = _store.Asked.Count;
        Assert.Equal(ofFolder, await TrainAsync("of-store", _store["kept/model"]));
        Assert.DoesNotContain(_store.Asked.Skip(before), a => a.StartsWith("GET kept/model/model", StringComparison.Ordinal));

        _store.Objects.Remove("kept/model/config.json");
        Assert.Equal(ExitCodes.Failed, await Elastic(Training("third", _store["kept/model"])));
        Assert.Contains("s3://kept/model holds no model, or one that was not stored to its end: there is neither "
            + "s3://kept/model/config.json nor", _error.ToString(), StringComparison.Ordinal);
    }

    // The fingerprint.
    private async Task<string> TrainAsync(string data, string init)
    {
        _output.GetStringBuilder().Clear();
        Assert.True(ExitCodes.Done == await Elastic(Training(data, init)), _error.ToString());
        using var result = JsonDocument.Parse(_output.ToString());
        return result.RootElement.GetProperty("fingerprint").GetString()!;
    }

    private string[] Training(string data, string init)
    {
        string[] small = ["batch.sequences=4", "batch.micro=2", "run.inner-steps=2", "run.rounds=1", "optimizer.schedule=constant"];
        return ["train", "--json", "--corpus", Path.Combine(_folder, "a.txt"), "--devices", "cpu:1", "--init", init,
            "--data-dir", Path.Combine(_folder, data), .. small.SelectMany(s => new[] { "--set", s })];
    }

    private Task<int> Elastic(params string[] words) => ElasticCommandLine.RunAsync(words, _output, _error);
}
