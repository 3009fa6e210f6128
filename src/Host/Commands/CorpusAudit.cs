using System.CommandLine;
using Elastic.Messages;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus audit</c>: proves from the journal and the shards what a run has read.</summary>
internal static class CorpusAudit
{
    public static Command Build()
    {
        var run = CommonOptions.RequiredRunName("The run to audit.");
        var dataDir = CommonOptions.DataDir();
        var command = new TeachingCommand("audit",
            "Proves from the journal and the shards that a run has read every block exactly once per epoch, or names where it has not.",
            "elastic corpus audit --run tiny")
        { run, dataDir };
        command.SetAction((parsed, _) =>
        {
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            data.ExistingRun(CommonOptions.RunOf(parsed.GetValue(run)!));
            throw new ElasticException("the audit of the ledger is not part of this version yet");
        });
        return command;
    }
}
