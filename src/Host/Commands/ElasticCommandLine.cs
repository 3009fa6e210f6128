using System.CommandLine;
using System.CommandLine.Parsing;
using Elastic.Actors.Nodes;
using Elastic.Foundation;

namespace Elastic.Host.Commands;

/// <summary>The commands of <c>elastic</c> and their common parts: help, errors, exit codes.</summary>
internal static class ElasticCommandLine
{
    /// <summary>Runs one command line. Never throws: every failure becomes lines on <paramref name="error"/> and an exit code.</summary>
    /// <param name="faults">Faults of a worker's machine; only tests simulate any.</param>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, NodeFaults? faults = null)
    {
        ParseResult parsed = Build(faults).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in Problems(parsed))
                await error.WriteLineAsync($"error: {problem}");
            await error.WriteLineAsync($"see: {HelpFor(parsed)}");
            return ExitCodes.WrongUsage;
        }

        try
        {
            // Interruption handles Ctrl-C: a run stops at a step boundary, not after the two seconds that the library allows.
            var invocation = new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            return await parsed.InvokeAsync(invocation);
        }
        catch (Exception e)
        {
            var dataDir = parsed.GetResult(CommonOptions.DataDirName) is null ? null : parsed.GetValue<string?>(CommonOptions.DataDirName);
            return ErrorReport.Write(e, error, new DataDirectory(dataDir ?? CommonOptions.DefaultDataDir).LogFile);
        }
    }

    /// <summary>The whole command tree.</summary>
    public static RootCommand Build(NodeFaults? faults = null)
    {
        var root = new RootCommand(
            "Elastic trains language models on machines that come and go; the answer does not depend on the machines.")
        {
            TrainCommand.Build(),
            SeedCommand.Build(),
            WorkerCommand.Build(faults ?? NodeFaults.None),
            GenerateCommand.Build(),
            CorpusCommand.Build(),
            RunCommand.Build(),
            DoctorCommand.Build(),
            SimulateCommand.Build(),
        };
        TeachingCommand.Teach(root,
            """
            elastic train                 needs nothing: a small GPT-2 learns from the documentation of the .NET SDK, in minutes
                                          on two cores; kill it, type it again, and it goes on
            elastic train --help          more about a command
            """);
        return root;
    }

    // A word that is no command and no option is usually a misspelt one; the errors that follow from it are not shown.
    private static IEnumerable<string> Problems(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var names = command.Subcommands.Select(c => c.Name).Concat(command.Options.Select(o => o.Name)).ToList();
        return parsed.UnmatchedTokens.Count > 0 && names.Count > 0
            ? parsed.UnmatchedTokens.Take(1)
                .Select(t => $"{t} is no command or option here: did you mean {EditDistance.Nearest(t, names)}?")
            : parsed.Errors.Select(e => e.Message);
    }

    private static string HelpFor(ParseResult parsed)
    {
        var names = new List<string>();
        for (var result = parsed.CommandResult; result?.Parent is CommandResult; result = (CommandResult)result.Parent)
            names.Insert(0, result.Command.Name);
        return string.Join(' ', ["elastic", .. names, "--help"]);
    }
}
