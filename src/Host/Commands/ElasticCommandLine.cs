using System.CommandLine;
using System.CommandLine.Parsing;
using Elastic.Actors.Nodes;

namespace Elastic.Host.Commands;

/// <summary>The commands of <c>elastic</c> and their common parts: help, errors, exit codes.</summary>
internal static class ElasticCommandLine
{
    public const string JsonName = "--json";

    /// <summary>Runs one command line. Never throws: every failure becomes lines on <paramref name="error"/> and an exit code.</summary>
    /// <param name="faults">Faults of a seed's or a worker's machine; only tests simulate any.</param>
    /// <param name="cancel">Asks what listens to signals to end, as SIGTERM does: a seed, a worker, a build.</param>
    public static async Task<int> RunAsync(
        string[] args, TextWriter output, TextWriter error, NodeFaults? faults = null, CancellationToken cancel = default)
    {
        ParseResult parsed = Build(faults).Parse(args.Length > 0 ? args : ["--help"]);
        var json = args.Contains(JsonName) && parsed.CommandResult.Command.Options.Any(o => o.Name == JsonName) ? output : null;
        // A request for help gets no errors.
        List<string> problems = parsed.Action is { ClearsParseErrors: true } ? [] : [.. UsageProblems.Of(parsed)];
        if (problems.Count > 0 || parsed.Errors.Count > 0)
        {
            var code = ErrorReport.Write((ExitCodes.WrongUsage, problems), error, json);
            await error.WriteLineAsync($"see: {HelpFor(parsed)}");
            return code;
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
            return await parsed.InvokeAsync(invocation, cancel);
        }
        catch (Exception e)
        {
            var dataDir = parsed.GetResult(CommonOptions.DataDirName) is null ? null : parsed.GetValue<string?>(CommonOptions.DataDirName);
            var log = new DataDirectory(string.IsNullOrEmpty(dataDir) ? CommonOptions.DefaultDataDir : dataDir).LogFile;
            return ErrorReport.Write(ErrorReport.Of(e, log), error, json);
        }
    }

    /// <summary>The whole command tree.</summary>
    public static RootCommand Build(NodeFaults? faults = null)
    {
        var root = new RootCommand(
            "Elastic trains language models on machines that come and go; the answer does not depend on the machines.")
        {
            TrainCommand.Build(),
            SeedCommand.Build(faults ?? NodeFaults.None),
            WorkerCommand.Build(faults ?? NodeFaults.None),
            GenerateCommand.Build(),
            EvalCommand.Build(),
            ExportCommand.Build(),
            ServeCommand.Build(),
            CorpusCommand.Build(faults ?? NodeFaults.None),
            RunCommand.Build(),
            BackupCommand.Build(),
            BackupCommand.BuildRestore(),
            Certs.CertsCommand.Build(),
            ConfigCommand.Build(),
            DoctorCommand.Build(),
            NcclCommand.Build(),
            ProductsCommand.Build(),
            KernelsCommand.Build(),
            HealthCommand.Build(),
            SimulateCommand.Build(),
        };
        TeachingCommand.Teach(root,
            """
            elastic train                 needs nothing: a small GPT-2 learns from the documentation of the .NET SDK, in minutes
                                          on two cores; kill it, type it again, and it goes on
            elastic seed                  a cluster: its first node; elastic worker --seed HOST:PORT is another one
            elastic config                every setting, and where its value comes from
            elastic train --help          more about a command
            """);
        return root;
    }

    private static string HelpFor(ParseResult parsed)
    {
        var names = new List<string>();
        for (var result = parsed.CommandResult; result?.Parent is CommandResult; result = (CommandResult)result.Parent)
            names.Insert(0, result.Command.Name);
        return string.Join(' ', ["elastic", .. names, "--help"]);
    }
}
