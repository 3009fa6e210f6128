using System.CommandLine;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;
using Elastic.Host.Display;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus</c>: builds, shows, exports and audits corpora, and trains tokenizers, without training a model.</summary>
internal static class CorpusCommand
{
    /// <param name="faults">Faults of the build of a corpus; only tests simulate any.</param>
    public static Command Build(NodeFaults faults) => new TeachingCommand("corpus",
        "Builds, shows, exports and audits texts and token shards, and trains tokenizers. \"train\" builds what it needs by itself.",
        """
        elastic corpus build --corpus ~/books --set corpus.tokenizer=gpt2
        elastic corpus build --manifest web.conf
        elastic corpus show --verify
        elastic corpus show --document 17
        elastic corpus export --out my-text
        elastic corpus audit --run tiny
        elastic corpus train-tokenizer --corpus ~/books --vocabulary 32000 --out my-tokenizer
        """)
    { Make(faults), CorpusShow.Build(), CorpusExport.Build(), CorpusAudit.Build(), TrainTokenizer.Build() };

    private static Command Make(NodeFaults faults)
    {
        var (config, set, corpus, dataDir) = (CommonOptions.Config(), CommonOptions.Set(), CommonOptions.Corpus(), CommonOptions.DataDir());
        var manifest = new Option<string?>("--manifest")
        {
            Description = "A file that names sources, and stages that clean and filter their text before it is tokenized: docs/corpora.md.",
            HelpName = "FILE",
        };
        var purge = new Option<bool>("--purge")
        {
            Description = "With --manifest: delete the texts in the data directory, and the corpora that were made of them, that hold "
                + "documents which the manifest takes down.",
        };
        var limit = new Option<long?>("--limit")
        {
            Description = "Builds a trial of the first N documents of each source of the manifest.",
            HelpName = "N",
        };
        var json = CommandOutput.Option();
        var command = new Command("build", "Reads, tokenizes and stores a corpus, unless it is there already.")
        { config, set, corpus, manifest, limit, purge, dataDir, json };
        command.Validators.Add(result =>
        {
            if (result.GetResult(manifest) is not null && result.GetResult(corpus) is not null)
                result.AddError("--manifest names the sources itself: leave --corpus out");
            if (result.GetResult(purge) is not null && result.GetResult(manifest) is null)
                result.AddError("--purge deletes what a manifest takes down: name it with --manifest");
            if (result.GetResult(limit) is not null && result.GetResult(manifest) is null)
                result.AddError("--limit is for a manifest: name it with --manifest, or leave --limit out");
            if (result.GetValue(limit) < 1)
                result.AddError("--limit must be 1 or more");
        });
        command.SetAction(async (parsed, cancel) =>
        {
            var settings = ConfigurationLoader.Load(new ConfigurationRequest(
                parsed.GetValue(config)!, parsed.GetValue(set)!, parsed.GetValue(corpus), DataDir: parsed.GetValue(dataDir),
                EnvironmentDataDir: CommonOptions.EnvironmentDataDir));
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            var sources = parsed.GetValue(manifest) is { } file ? BuildManifestFile.Read(file) : null;
            if (parsed.GetValue(limit) is { } most)
                sources = sources! with { Limit = most };
            // While a signal still ends the process at once.
            sources?.ReadInputs();
            var data = new DataDirectory(settings.Node.DataDir, settings.Node.CorporaDir);
            using var held = data.Take();
            BuiltCorpus built;
            BuiltText? text = null;
            List<string> takenDown = [];
            await using (var display = RunDisplays.Choose(parsed.GetValue(json), plain: false, output, error))
            {
                using var interruption = Interruption.Listen(
                    () => display.Notice(sources is null
                        ? "stopping; nothing half-built stays"
                        : "stopping; nothing half-built stays, and the same command goes on with what was read"),
                    cancel);
                try
                {
                    if (sources is not null)
                    {
                        text = await TextBuild.RunAsync(sources, data, display, faults.BuildStep, interruption.Token);
                        settings = TextBuild.Of(text, settings);
                        takenDown = [.. TakenDownTexts.Report(data, text, sources.TakeDowns, parsed.GetValue(purge), interruption.Token)];
                    }

                    built = await CorpusBuild.RunAsync(settings, display, faults, interruption.Token);
                }
                catch (OperationCanceledException) when (interruption.IsRequested)
                {
                    return ExitCodes.Interrupted;
                }
            }

            var said = CommandOutput.Of(parsed, json);
            said.Say((text is null ? [] : TextLines.Of(text)).Concat(CorpusLines.Of(built)).Concat(takenDown));
            var result = CorpusLines.Json(built);
            (result["text"], result["takenDown"]) = (text?.Report.Id, CommandOutput.Texts(takenDown));
            said.Result(result);
            return ExitCodes.Done;
        });
        return command;
    }
}
