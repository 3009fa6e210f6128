using System.CommandLine;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Evaluation;
using Elastic.Host.Generation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary><c>elastic eval</c>: the numbers that say how good a model or its output is.</summary>
internal static class EvalCommand
{
    private const int MostSequences = 1 << 20;

    public static Command Build()
    {
        var data = Files("--data", "FILE|DIR",
            "Text to score: files and folders, in the formats that elastic train --corpus takes. Each source has a line of its own.");
        var stride = new Option<int?>("--stride")
        {
            Description = "With --data: tokens from one window to the next, 1 to the model's context; a smaller one gives tokens more "
                + "context, and takes longer. Each token is scored once. Default: the context, for disjoint windows.",
            HelpName = "N",
        };
        var heldOut = new Option<string?>("--held-out")
        {
            Description = "A built corpus, e.g. a folder of elastic-data/corpora, whose held-out part is scored as a run scores it while "
                + "it trains. For every architecture.",
            HelpName = "DIR",
        };
        var samples = new Option<SampleKind?>("--samples")
        {
            Description = "With --held-out: how samples are cut, as corpus.samples. Default: as the run cuts them; a folder's model: pairs "
                + "for an encoder-decoder, else blocks.",
            HelpName = "blocks|packed|documents|pairs",
        };
        samples.AcceptOnlyFromAmong([.. Enum.GetNames<SampleKind>().Select(n => n.ToLowerInvariant())]);
        var sequences = new Option<int?>("--sequences")
        {
            Description = "With --held-out: samples to score at most, evenly spread. Default: the run's evaluation.sequences; a folder's "
                + $"model: {EvaluationSettings.Defaults.Sequences}.",
            HelpName = "N",
        };
        var lastWord = new Option<string?>("--last-word")
        {
            Description = "A .jsonl file with a text in each record ({\"text\": \"...\"}): how often the model finds the last word, as "
                + "LAMBADA asks for it.",
            HelpName = "FILE",
        };
        var choices = new Option<string?>("--choices")
        {
            Description = "A .jsonl file with a question in each record ({\"context\": \"...\", \"choices\": [\"...\", \"...\"], "
                + "\"answer\": 0}): how often the right choice is the likeliest, as HellaSwag asks for it.",
            HelpName = "FILE",
        };
        var pairs = Files("--pairs", "HYPOTHESES REFERENCES",
            "Scores translations by BLEU and chrF2: a file of hypotheses, then one or more files of references, a line each.");
        var json = new Option<bool>(ElasticCommandLine.JsonName) { Description = "Writes one JSON object to standard output." };
        var dataDir = CommonOptions.DataDir();

        var command = new TeachingCommand("eval",
            "Scores the newest checkpoint of a run or the model of a folder (loss, perplexity, bits per byte, last words, multiple "
            + "choice), or translations against references (BLEU, chrF). See docs/evaluation.md.",
            """
            elastic eval --run tiny --data ~/books                                  each document by itself, disjoint windows
            elastic eval --run tiny --data a.txt b.jsonl --stride 32 --json
            elastic eval --model ~/gpt2 --data book.txt                             published weights
            elastic eval --model ~/bert --held-out elastic-data/corpora/DIGEST      as a run from these weights begins
            elastic eval --model ~/gpt2 --last-word lambada.jsonl
            elastic eval --model ~/gpt2 --choices questions.jsonl
            elastic eval --pairs output.txt reference.txt                           as sacreBLEU scores them
            """);
        var writer = new WriterOptions(command, "is scored", isRequired: false);
        foreach (var option in new Option[]
            { data, stride, heldOut, samples, sequences, lastWord, choices, pairs, json, dataDir })
        {
            command.Options.Add(option);
        }
        command.SetAction((parsed, cancel) =>
        {
            var asked = new Asked(
                parsed.GetValue(data)!, parsed.GetValue(stride), parsed.GetValue(heldOut), parsed.GetValue(samples),
                parsed.GetValue(sequences), parsed.GetValue(lastWord), parsed.GetValue(choices), parsed.GetValue(pairs)!);
            var problems = asked.Problems(writer.IsGiven(parsed)).ToList();
            if (problems.Count > 0)
                throw new SettingsException(problems);
            var invocation = parsed.InvocationConfiguration;
            if (asked.Pairs.Length > 0)
            {
                PairEvaluation.Run(asked.Pairs, invocation.Output, parsed.GetValue(json));
                return Task.FromResult(ExitCodes.Done);
            }
            using var model = writer.Load(parsed, dataDir, invocation.Error.WriteLine);
            asked.Run(model, new EvaluationOutput(invocation.Output, invocation.Error, parsed.GetValue(json)), cancel);
            return Task.FromResult(ExitCodes.Done);
        });
        return command;
    }

    private static Option<string[]> Files(string name, string help, string description) => new(name)
    {
        Description = description,
        HelpName = help,
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private sealed record Asked(
        string[] Data, int? Stride, string? HeldOut, SampleKind? Samples, int? Sequences, string? LastWord, string? Choices, string[] Pairs)
    {
        public IEnumerable<string> Problems(bool isModelGiven)
        {
            (string Option, bool IsGiven)[] all =
            [
                ("--data", Data.Length > 0), ("--held-out", HeldOut is not null), ("--last-word", LastWord is not null),
                ("--choices", Choices is not null), ("--pairs", Pairs.Length > 0),
            ];
            var given = all.Where(a => a.IsGiven).Select(a => a.Option).ToList();
            if (given.Count != 1)
                yield return $"name what is to be scored by one of {string.Join(", ", all.SkipLast(1).Select(a => a.Option))} and "
                    + all[^1].Option + (given.Count > 1 ? $"; these are {string.Join(" and ", given)}" : "");
            else if (Pairs.Length > 0 == isModelGiven)
                yield return isModelGiven
                    ? "--pairs scores files, without a model: leave out --run and --model"
                    : $"{given[0]}: name the model that is scored, with --run NAME or --model DIR";
            if (Pairs.Length == 1)
                yield return $"--pairs {Pairs[0]}: name the file of the references, too";
            if (Stride is not null && Data.Length == 0)
                yield return $"--stride {Stride}: it goes with --data";
            if (Stride < 1)
                yield return $"--stride {Stride}: use 1 to the model's context";
            if (Samples is not null && HeldOut is null)
                yield return $"--samples {Samples.ToString()!.ToLowerInvariant()}: it goes with --held-out";
            if (Sequences is not null && HeldOut is null)
                yield return $"--sequences {Sequences}: it goes with --held-out";
            if (Sequences is < 1 or > MostSequences)
                yield return $"--sequences {Sequences}: use 1 to {MostSequences}";
        }

        public void Run(TextModel model, EvaluationOutput output, CancellationToken cancel)
        {
            if (HeldOut is not null)
            {
                HeldOutEvaluation.Run(model, HeldOut, Samples, Sequences, output, cancel);
                return;
            }
            var (isMasked, readsPairs) = (model.Settings.IsMasked, model.Settings.ReadsPairs);
            if (isMasked || readsPairs)
            {
                throw new ElasticException(
                    $"{model.Name} is a {model.Settings.Architecture}, which "
                    + (isMasked ? "predicts hidden tokens from both sides" : "answers a source") + " and does not go on with a text: "
                    + "score it on the held-out part of a corpus, with --held-out");
            }
            if (LastWord is not null)
                new LastWordEvaluation(model, LastWord).Run(output, cancel);
            else if (Choices is not null)
                new ChoiceEvaluation(model, Choices).Run(output, cancel);
            else
                TextEvaluation.Run(model, Data, Stride, output, cancel);
        }
    }
}
