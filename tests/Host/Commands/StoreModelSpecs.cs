namespace Elastic.Host.Tests.Commands;

/// <summary>A model goes from a run to an S3-compatible store, and another run starts from it there; in this process.</summary>
public sealed class StoreModelSpecs : StoreSpecs
{
    [Fact]
    public async Task An_export_that_was_broken_off_goes_on_and_config_json_is_stored_last()
    {
        var (data, _) = ExchangedModel.Write(Folder);
        string[] export = ["export", "--run", ExchangedModel.Run, "--out", Store["kept/model"], "--data-dir", data];
        // The store refuses the last file.
        Store.Before = asked =>
        {
            if (asked.StartsWith("PUT kept/model/config.json", StringComparison.Ordinal))
                Store.Failures.Enqueue(403);
        };
        Assert.Equal(ExitCodes.Failed, await Elastic(export));
        Assert.Contains("s3://kept/model/config.json cannot be stored: the store answered 403 Failure: these credentials may not",
            Said, StringComparison.Ordinal);
        Assert.False(Store.Objects.ContainsKey("kept/model/config.json"));
        Assert.Equal(4, Store.Objects.Count);

        // Of the same length, but other weights.
        Store.Objects["kept/model/model.safetensors"] = new byte[Store.Objects["kept/model/model.safetensors"].Length];
        Store.Before = null;
        var before = Store.Asked.Count;
        Assert.True(ExitCodes.Done == await Elastic(export), Said);
        Assert.Equal(
            ["PUT kept/model/model.safetensors", "PUT kept/model/config.json"],
            Store.Asked.Skip(before).Where(a => a.StartsWith("PUT", StringComparison.Ordinal)));
        Assert.Contains("s3://kept/model had 3 of the files already", Said, StringComparison.Ordinal);

        // What is whole is not written over, and what is there already is no error.
        Assert.Equal(ExitCodes.Done, await Elastic(export));
        Assert.Equal(ExitCodes.Failed, await Elastic([.. export, "--dtype", "bf16"]));
        Assert.Contains("s3://kept/model holds something else already", Said, StringComparison.Ordinal);
        Store.Objects["kept/model/other"] = [1];
        Assert.Equal(ExitCodes.Failed, await Elastic(export));
        Assert.Contains("s3://kept/model/other is there already and is no file of what is to be stored", Said,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_starts_from_a_store_has_the_weights_of_one_that_starts_from_the_folder()
    {
        var (data, fingerprint) = ExchangedModel.Write(Folder);
        var local = Path.Combine(Folder, "local");
        string[] export = ["export", "--run", ExchangedModel.Run, "--data-dir", data, "--out"];
        Assert.Equal(ExitCodes.Done, await Elastic([.. export, local]));
        Assert.Equal(ExitCodes.Done, await Elastic([.. export, Store["kept/model"]]));
        var ofFolder = await TrainAsync("of-folder", local);
        // Broken off on the way.
        Store.Breaks = (1000, 2);
        Assert.Equal(ofFolder, await TrainAsync("of-store", Store["kept/model"]));
        Assert.NotEqual(fingerprint, ofFolder);

        // The copy is used again.
        var before = Store.Asked.Count;
        Assert.Equal(ofFolder, await TrainAsync("of-store", Store["kept/model"]));
        Assert.DoesNotContain(Store.Asked.Skip(before), a => a.StartsWith("GET kept/model/model", StringComparison.Ordinal));

        Store.Objects.Remove("kept/model/config.json");
        Assert.Equal(ExitCodes.Failed, await Elastic(Training("third", Store["kept/model"])));
        Assert.Contains("s3://kept/model holds no model, or one that was not stored to its end: there is neither "
            + "s3://kept/model/config.json nor", Said, StringComparison.Ordinal);
    }

    private Task<string> TrainAsync(string data, string init) => TrainAsync(Training(data, init));

    private string[] Training(string data, string init) => Training(data, ["run.inner-steps=2", "run.rounds=1"], ["--init", init]);
}
