using System.CommandLine;
using Elastic.Actors.Nodes;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary><c>elastic seed</c>: a node that supervises runs.</summary>
internal static class SeedCommand
{
    /// <param name="faults">Faults of the machine; only tests simulate any.</param>
    public static Command Build(NodeFaults faults)
    {
        var options = new NodeOptions(
            NodeOptions.DefaultPort, NodeOptions.DefaultHttpPort, NodeOptions.DefaultPbmPort, "none", new Option<string[]>("--seed")
            {
                Description =
                    "Another seed, to join its cluster. Repeatable, and seldom needed: seeds on one database find each other there.",
                HelpName = "HOST:PORT",
                DefaultValueFactory = _ => [],
            });
        var command = new TeachingCommand("seed",
            "Starts a node that supervises runs: it has the journal, and answers pbm. One is enough to start; " +
            "three on one database survive the loss of one. " +
            "Runs that nobody stopped go on by themselves. Ctrl-C leaves the cluster; workers go on computing until a seed is back.",
            """
            elastic seed                                                   one seed, reached from this machine only
            elastic seed --host 10.0.0.5                                  reached from others, too
            elastic seed --devices cpu:4                                  it computes as well
            elastic seed --host 10.0.0.6 --seed 10.0.0.5:4053 \
                         --database "postgres://elastic@10.0.0.9/elastic?password-file=secret"   a second seed on the same database
            """, options.Settings, SettingsSchema.Node)
        { options.PbmPort, options.DashboardPort, options.NoDashboard, options.Database };
        foreach (var option in options.Common)
            command.Add(option);
        command.SetAction((parsed, cancel) => NodeProcess.RunAsync(
            options.Read(parsed, seed: true), parsed.InvocationConfiguration.Output, faults, cancel));
        return command;
    }
}
