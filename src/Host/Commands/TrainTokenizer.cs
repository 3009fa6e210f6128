using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus train-tokenizer</c>: trains a byte-level BPE and writes it as Hugging Face's libraries read it.</summary>
internal static class TrainTokenizer
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(2);

    public static Command Build()
    {
        var (config, set, corpus) = (CommonOptions.Config(), CommonOptions.Set("--set corpus.held-out=0"), CommonOptions.Corpus());
        var vocabulary = new Option<int>("--vocabulary")
        {
            Description =
                $"Tokens to make, {TokenizerTraining.LeastVocabulary} to {TokenizerTraining.MostVocabulary}: 256 bytes, an end of text, "
                + "and merges. GPT-2 has 50257.",
            HelpName = "N",
            Required = true,
        };
        var folder = new Option<string>("--out")
        {
            Description =
                $"The folder to write: {TokenizerFile.FileName}, vocab.json, merges.txt and tokenizer_config.json. It must not be there "
                + "yet, or be empty.",
            HelpName = "DIR",
            Required = true,
        };
        var json = CommandOutput.Option();
        var command = new TeachingCommand("train-tokenizer",
            "Trains a byte-level BPE on the documents of a corpus that are not held out. The same text gives the same files, whatever the "
            + "machine and the number of its cores. Needs at most about 2 GiB of memory: of too many different words the "
            + "rarest are left out.",
            """
            elastic corpus train-tokenizer --corpus ~/books --vocabulary 32000 --out my-tokenizer
            elastic train --corpus ~/books --set corpus.tokenizer=my-tokenizer
            """)
        { config, set, corpus, vocabulary, folder, json };
        command.SetAction(async (parsed, asked) =>
        {
            var settings = ConfigurationLoader.Load(
                new ConfigurationRequest(parsed.GetValue(config)!, parsed.GetValue(set)!, parsed.GetValue(corpus)),
                Problems(parsed.GetValue(vocabulary)));
            var target = Target(parsed.GetValue(folder)!, folder.Name);
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            return await Interruption.RunAsync(error, "stopping; nothing is written", async cancel =>
            {
                var found = CorpusSources.Find(settings.Training.Corpus, cancel);
                var trained = await Task.Run(() => TokenizerTraining.TrainAsync(
                    found.Files, settings.Training.Corpus.HeldOutShare, parsed.GetValue(vocabulary), Environment.ProcessorCount,
                    new Report(error, parsed.GetValue(vocabulary)), cancel));
                await WritePlace.WriteAsync(target, $"name another folder with {folder.Name}, and train again", () =>
                {
                    NewFolder.Make(target, place =>
                    {
                        foreach (var (name, bytes) in trained.Files())
                            File.WriteAllBytes(Path.Combine(place, name), bytes);
                    });
                    return Task.FromResult(target);
                });
                if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
                    error.WriteLine($"corpus: {passedOver}");
                output.Say(Lines(trained, parsed.GetValue(vocabulary), target));
                output.Result(new JsonObject
                {
                    ["tokenizer"] = TokenizerFile.Find(target).Id,
                    ["folder"] = target,
                    ["tokens"] = trained.Tokens.Count,
                    ["documents"] = trained.Documents,
                    ["bytes"] = trained.Bytes,
                    ["forgotten"] = trained.Forgotten,
                });
                return ExitCodes.Done;
            }, asked);
        });
        return command;
    }

    private static IEnumerable<string> Problems(int vocabulary)
    {
        if (vocabulary is < TokenizerTraining.LeastVocabulary or > TokenizerTraining.MostVocabulary)
            yield return $"--vocabulary {vocabulary}: use {TokenizerTraining.LeastVocabulary} to {TokenizerTraining.MostVocabulary}";
    }

    // Checked before hours of training.
    private static string Target(string folder, string option)
    {
        var path = Path.GetFullPath(folder);
        NewFolder.CheckFree(path, option);
        return path;
    }

    private static IEnumerable<string> Lines(TrainedTokenizer trained, int vocabulary, string folder)
    {
        yield return $"tokenizer {TokenizerFile.Find(folder).Id}   {Units.Count(trained.Tokens.Count, "token")} from "
            + $"{Units.Count(trained.Documents, "document")}, {Units.Bytes(trained.Bytes)}, {Units.Count(trained.Words, "different word")}";
        if (trained.Tokens.Count < vocabulary)
            yield return $"  fewer than the {vocabulary} that were asked for: no other pair occurs twice; add text for more";
        if (trained.Forgotten > 0)
            yield return $"  left out   {Units.Many(trained.Forgotten, "occurrence")} of rare words, for want of memory";
        yield return $"  folder     {folder}; train with it: --set corpus.tokenizer={folder}";
    }

    private sealed class Report(TextWriter error, int vocabulary) : IProgress<TokenizerProgress>
    {
        private long _last = Stopwatch.GetTimestamp();

        void IProgress<TokenizerProgress>.Report(TokenizerProgress value)
        {
            if (Stopwatch.GetElapsedTime(_last) < BetweenLines)
                return;
            _last = Stopwatch.GetTimestamp();
            error.WriteLine(value.Tokens == 0
                ? $"counting words: {Units.Count(value.Documents, "document")}, {Units.Bytes(value.Bytes)} of "
                    + Units.Bytes(value.TotalBytes)
                : $"merging: {value.Tokens} of {Units.Count(vocabulary, "token")}");
        }
    }
}
