using System.CommandLine;
using Elastic.Actors.Nodes;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary><c>elastic worker</c>: a node that computes.</summary>
internal static class WorkerCommand
{
    public static Command Build(NodeFaults faults)
    {
        var options = new NodeOptions(0, 0, 0, "auto", new Option<string[]>("--seed")
        {
            Description = "A seed to join. Repeatable; one that answers is enough, the others are learnt from it.",
            HelpName = "HOST:PORT",
            Required = true,
        });
        var command = new TeachingCommand("worker",
            "Starts a node that computes: it needs the address of a seed and nothing else. It may come and go at any time. " +
            "Ctrl-C, SIGTERM, --preemption-file and POST /leave on its data plane hand its work over first, at the current step.",
            """
            elastic worker --seed 10.0.0.5:4053 --host 10.0.0.7           all GPUs of this machine, else its cores
            elastic worker --seed 127.0.0.1:4053 --devices cpu:2 --data-dir w1   beside a seed on the same machine
            elastic worker --seed 10.0.0.5:4053 --host 10.0.0.7 --token-file token   gets its certificate first (elastic certs token)
            elastic worker --seed 10.0.0.5:4053 --host 10.0.0.8 --preemption-file /run/preempted
            """, options.Settings, SettingsSchema.Node);
        foreach (var option in options.Common)
            command.Add(option);
        command.SetAction((parsed, cancel) =>
            NodeProcess.RunAsync(options.Read(parsed, seed: false), parsed.InvocationConfiguration.Output, faults, cancel));
        return command;
    }
}
