using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>
/// <c>elastic corpus show</c>: what is in the data directory, and where a sample, a document or its decision comes from.
/// </summary>
internal static class CorpusShow
{
    private const int MostRandom = 1000;

    public static Command Build()
    {
        var (config, set, dataDir) = (CommonOptions.Config(), CommonOptions.Set("--set corpus.tokenizer=gpt2"), CommonOptions.DataDir());
        var verify = new Option<bool>("--verify") { Description = "Hash every shard and compare with the manifest." };
        var text = TextId();
        var document = new Option<long?>("--document")
        {
            Description = "A document of the text, kept or dropped: every stage's decision with its rule, and what it matched.",
            HelpName = "ID",
        };
        var sample = new Option<long?>("--sample")
        {
            Description = "The documents of a training sample: source, file and line. Which corpus is meant, and how long a sample is, say "
                + "--config and --set (corpus.tokenizer, corpus.samples, corpus.sample-tokens, model.context).",
            HelpName = "N",
        };
        var random = new Option<int?>("--random")
        {
            Description = "That many documents by chance, of those that were kept.",
            HelpName = "N",
        };
        var seed = new Option<ulong>("--seed") { Description = "Another seed gives other documents. Default: 0.", HelpName = "N" };
        var source = new Option<string?>("--source") { Description = "With --random: of this source.", HelpName = "NAME" };
        var language = new Option<string?>("--language") { Description = "With --random: in this language.", HelpName = "CODE" };
        var json = CommandOutput.Option();
        var command = new TeachingCommand("show",
            "Lists the texts and the corpora in the data directory, or shows where samples and decisions come from.",
            """
            elastic corpus show --verify
            elastic corpus show --document 17                  # why a document was dropped
            elastic corpus show --sample 4711 --config tiny    # from a training sample to file and line
            elastic corpus show --random 5 --language de
            """)
        { text, document, sample, random, seed, source, language, verify, config, set, dataDir, json };
        command.Validators.Add(result =>
        {
            Option[] views = [document, sample, random];
            if (views.Count(v => result.GetResult(v) is not null) > 1)
                result.AddError("--document, --sample and --random show different things: give one of them");
            if (result.GetResult(random) is null && (result.GetResult(source) ?? result.GetResult(language)) is not null)
                result.AddError("--source and --language choose among documents by chance: add --random N");
            if (result.GetResult(random) is null && result.GetResult(seed) is { Implicit: false })
                result.AddError("--seed draws documents: add --random N");
            if (result.GetResult(sample) is null && (IsGiven(config) || IsGiven(set)))
                result.AddError("--config and --set say how long a sample is: add --sample N");
            if (result.GetValue(verify) && views.Append(text).Any(v => result.GetResult(v) is not null))
                result.AddError("--verify hashes corpora: of a text its files are checked by elastic corpus audit --text ID");
            bool IsGiven(Option option) => result.GetResult(option) is { Implicit: false };
            if (result.GetValue(random) is < 1 or > MostRandom)
                result.AddError($"--random takes 1 to {MostRandom}");
        });
        command.SetAction((parsed, _) =>
        {
            var (data, output) = (CommonOptions.OpenDataDirectory(parsed, dataDir), CommandOutput.Of(parsed, json));
            var isOfText = new Option[] { text, document, sample, random }.Any(o => parsed.GetResult(o) is not null);
            if (!isOfText)
                return Task.FromResult(Listed(data, parsed.GetValue(verify), output, parsed.InvocationConfiguration.Error));
            var built = BuiltTexts.Find(data, parsed.GetValue(text));
            string[] lines = [.. parsed.GetValue(document) is { } id ? DocumentLines.Of(built, id)
                : parsed.GetValue(sample) is { } number ? Sample(built, data, number, ConfigurationLoader.Load(new ConfigurationRequest(
                    parsed.GetValue(config)!, parsed.GetValue(set)!, DataDir: parsed.GetValue(dataDir),
                    EnvironmentDataDir: CommonOptions.EnvironmentDataDir)))
                : parsed.GetValue(random) is { } count ? DocumentLines.Random(
                    built, count, parsed.GetValue(seed), parsed.GetValue(source), parsed.GetValue(language))
                : TextLines.Of(built).Concat(TextLines.Details(built))];
            output.Say(lines);
            output.Result(new JsonObject { ["text"] = built.Report.Id, ["lines"] = CommandOutput.Texts(lines) });
            return Task.FromResult(ExitCodes.Done);
        });
        return command;
    }

    /// <summary>The option that names a text of a data directory.</summary>
    public static Option<string?> TextId() => new("--text")
    {
        Description = "A text that a manifest was built to, by the beginning of its id. May be left out where there is only one.",
        HelpName = "ID",
    };

    private static IEnumerable<string> Sample(BuiltText text, DataDirectory data, long sample, ElasticSettings settings)
    {
        var training = TextBuild.Of(text, settings).Training;
        var corpus = CorpusOf(training.Corpus, data);
        var cut = SampleCut.Of(training);
        yield return $"sample {sample} of the corpus {corpus.Id.Short}, {Units.Many(cut.Length, "token")}";
        foreach (var found in DocumentTokens.OfSample(text, corpus, cut, sample, training.Corpus.HeldOutShare)
            .Join(text.Rows(), d => d.Id, r => r.Id, (tokens, row) => (tokens, row)))
            yield return $"  {DocumentLines.Place(found.row)}, {Units.Many(found.tokens.Place.Tokens, "token")}";
    }

    private static BuiltCorpus CorpusOf(CorpusSettings settings, DataDirectory data)
    {
        var file = Tokenizer.IsBuiltIn(settings.Tokenizer) ? null : TokenizerFile.Find(settings.Tokenizer);
        var (id, _) = CorpusIdentity.Identify(
            CorpusSources.Find(settings).Files, settings with { Tokenizer = file?.Id ?? settings.Tokenizer });
        var folder = new DataPaths(data.Root).Corpus(id);
        return BuiltCorpus.TryOpen(folder, out var corpus) ? corpus : throw new NotFoundException(
            $"the text has no corpus with corpus.tokenizer = {settings.Tokenizer} and corpus.held-out = {settings.HeldOut} in "
            + $"{data.Corpora}: set those that it was built with, or build it with: elastic corpus build --manifest FILE");
    }

    private static int Listed(DataDirectory data, bool verify, CommandOutput output, TextWriter error)
    {
        var (texts, corpora) = (BuiltTexts.All(data).ToList(), Corpora(data).ToList());
        if (corpora.Count + texts.Count == 0)
            throw new NotFoundException($"there is no corpus in {data.Corpora}: build one with: elastic corpus build");
        output.Say(texts.SelectMany(TextLines.Of));
        var problems = new List<string>();
        foreach (var corpus in corpora)
        {
            output.Say(CorpusLines.Of(corpus));
            foreach (var problem in verify ? corpus.Problems() : [])
            {
                problems.Add(problem);
                error.WriteLine($"error: {problem}; delete {corpus.Folder} and build the corpus again");
            }
        }

        output.Result(new JsonObject
        {
            ["texts"] = new JsonArray([.. texts.Select(t => new JsonObject { ["text"] = t.Report.Id, ["folder"] = t.Folder })]),
            ["corpora"] = new JsonArray([.. corpora.Select(CorpusLines.Json)]),
            ["problems"] = CommandOutput.Texts(problems),
        });
        return problems.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static IEnumerable<BuiltCorpus> Corpora(DataDirectory data)
    {
        foreach (var folder in data.AllCorpora.SelectMany(f => Directory.EnumerateDirectories(f).Order(StringComparer.Ordinal)))
        {
            if (BuiltCorpus.TryOpen(folder, out var corpus))
                yield return corpus;
        }
    }
}
