using System.CommandLine;
using Elastic.Host.Configuration;

namespace Elastic.Host.Commands;

/// <summary><c>elastic eval</c>: the numbers that say how good a model or its output is.</summary>
internal static class EvalCommand
{
    public static Command Build()
    {
        var run = CommonOptions.RunName("The run whose newest checkpoint is scored.");
        var data = new Option<string[]>("--data")
        {
            Description = "Text to score: files and folders, in the formats that elastic train --corpus takes. Each source has a line of "
                + "its own.",
            HelpName = "FILE|DIR",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [],
        };
        var stride = new Option<int?>("--stride")
        {
            Description = "Tokens from one window to the next, 1 to the model's context; a smaller one gives tokens more context, and "
                + "takes longer. Each token is scored once. Default: the context, for disjoint windows.",
            HelpName = "N",
        };
        var pairs = new Option<string[]>("--pairs")
        {
            Description = "Scores translations by BLEU and chrF2: a file of hypotheses, then one or more files of references, a line each.",
            HelpName = "HYPOTHESES REFERENCES",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [],
        };
        var json = new Option<bool>(ElasticCommandLine.JsonName) { Description = "Writes one JSON object to standard output." };
        var dataDir = CommonOptions.DataDir();

        var command = new TeachingCommand("eval",
            "Scores text with the newest checkpoint of a run (loss, perplexity, bits per byte), or translations against references (BLEU, "
            + "chrF).",
            """
            elastic eval --run tiny --data ~/books                                  each document by itself, disjoint windows
            elastic eval --run tiny --data a.txt b.jsonl --stride 32 --json
            elastic eval --pairs output.txt reference.txt                           as sacreBLEU scores them
            """)
        { run, data, stride, pairs, json, dataDir };
        command.SetAction((parsed, cancel) =>
        {
            var (name, files, sources) = (parsed.GetValue(run), parsed.GetValue(pairs)!, parsed.GetValue(data)!);
            var problems = Problems(name, sources, parsed.GetValue(stride), files).ToList();
            if (problems.Count > 0)
                throw new SettingsException(problems);
            var invocation = parsed.InvocationConfiguration;
            if (name is null)
                PairEvaluation.Run(files, invocation.Output, parsed.GetValue(json));
            else
                TextEvaluation.Run(
                    CommonOptions.OpenDataDirectory(parsed, dataDir), CommonOptions.RunOf(name), sources, parsed.GetValue(stride),
                    invocation.Output, invocation.Error, parsed.GetValue(json), cancel);
            return Task.FromResult(ExitCodes.Done);
        });
        return command;
    }

    private static IEnumerable<string> Problems(string? run, string[] data, int? stride, string[] pairs)
    {
        if (run is null == (pairs.Length == 0))
            yield return "name either a run with --run and text with --data, or files with --pairs";
        if (pairs.Length == 1)
            yield return $"--pairs {pairs[0]}: name the file of the references, too";
        if (run is not null && data.Length == 0)
            yield return "--data is missing: name the text to score, e.g. --data book.txt";
        if (run is null && data.Length > 0)
            yield return $"--data {data[0]}: name the run that scores it with --run";
        if (run is null && stride is not null)
            yield return $"--stride {stride}: it goes with --run and --data";
        if (stride < 1)
            yield return $"--stride {stride}: use 1 to the model's context";
    }
}
