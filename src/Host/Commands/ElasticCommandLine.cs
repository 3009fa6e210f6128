using System.CommandLine;

namespace Elastic.Host.Commands;

/// <summary>The commands of <c>elastic</c> and what they have in common: help, errors, exit codes.</summary>
internal static class ElasticCommandLine
{
    /// <summary>Runs one command line. Never throws: everything that can go wrong becomes lines on <paramref name="error"/> and an exit code.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        ParseResult parsed = Build().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors)
                await error.WriteLineAsync($"error: {problem.Message}");
            await error.WriteLineAsync($"see: {HelpFor(parsed)}");
            return ExitCodes.WrongUsage;
        }

        try
        {
            // Ctrl-C is ours (see Interruption): a run stops at a step boundary, not two seconds later.
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
    public static RootCommand Build() => new(
        """
        Elastic trains language models on machines that come and go; the answer does not depend on the machines.

        Start with:  elastic train
        It needs nothing: a small GPT-2 learns from the documentation of the installed .NET SDK, in minutes on two cores.
        Kill it, type it again, and it goes on.
        """)
    {
        TrainCommand.Build(),
        GenerateCommand.Build(),
        CorpusCommand.Build(),
        DoctorCommand.Build(),
    };

    private static string HelpFor(ParseResult parsed)
    {
        var names = new List<string>();
        for (var result = parsed.CommandResult; result?.Parent is System.CommandLine.Parsing.CommandResult; result = (System.CommandLine.Parsing.CommandResult)result.Parent)
            names.Insert(0, result.Command.Name);
        return string.Join(' ', ["elastic", .. names, "--help"]);
    }
}
