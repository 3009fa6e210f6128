using System.CommandLine;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus audit</c>: proves from the journal and the shards what a run has read.</summary>
internal static class CorpusAudit
{
    public static Command Build()
    {
        var run = CommonOptions.RequiredRunName("The run to audit.");
        var dataDir = CommonOptions.DataDir();
        var database = CommonOptions.Database();
        var command = new TeachingCommand("audit",
            "Proves from the journal and the shards that a run has read every block exactly once per epoch, or names where it has not.",
            "elastic corpus audit --run tiny")
        { run, dataDir, database };
        command.SetAction(async (parsed, cancel) =>
        {
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            var url = DatabaseAddresses.Checked(parsed.GetValue(database));
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            data.ExistingRun(name);
            return Report(
                await JournalAudit.RunAsync(data.Root, url, name, cancel),
                parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        });
        return command;
    }

    private static int Report(AuditReport report, TextWriter output, TextWriter error)
    {
        output.WriteLine(string.Join(
            ", ", Units.Many(report.Rounds, "round"), Units.Many(report.Samples, "sample"), Units.Many(report.Tokens, "token")));
        foreach (var epoch in report.Epochs)
            output.WriteLine($"epoch {epoch.Epoch}: {epoch.Consumed} of {Units.Many(epoch.Blocks, "block")}");
        foreach (var problem in report.Problems)
            error.WriteLine($"error: {problem}");
        if (report is { Rounds: 0, Problems: [] })
        {
            error.WriteLine("error: nothing to prove: no round of the run is committed; train it, then audit it again");
            return ExitCodes.Failed;
        }

        output.WriteLine(report.IsProven
            ? "proven: every block above was consumed exactly once in its epoch, and every digest of what was read fits"
            : $"NOT proven: {report.Problems.Count} {(report.Problems.Count == 1 ? "thing does" : "things do")} not fit; " +
              "the journal or the corpus was changed after the fact, or is damaged");
        return report.IsProven ? ExitCodes.Done : ExitCodes.Failed;
    }
}
