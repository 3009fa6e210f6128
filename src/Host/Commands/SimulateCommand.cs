using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Simulation;

namespace Elastic.Host.Commands;

/// <summary><c>elastic simulate</c>: runs the shipped coordinators on a virtual clock and network, thousands of times.</summary>
internal static class SimulateCommand
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);

    public static Command Build()
    {
        var seeds = new Option<int>("--seeds")
        { Description = "Simulated runs of each scenario.", HelpName = "COUNT", DefaultValueFactory = _ => 200 };
        var from = new Option<int>("--from")
        { Description = "The first seed. A seed decides everything that happens in its run.", HelpName = "SEED" };
        var scenario = new Option<string?>("--scenario")
        {
            Description = "Only this one: " + string.Join("; ", Scenario.All.Select(s => $"{s.Name} ({s.Description})")) + ".",
            HelpName = "NAME",
        };
        var json = CommandOutput.Option();
        seeds.Validators.Add(result => AtLeast(result, seeds, 1));
        from.Validators.Add(result => AtLeast(result, from, 0));
        scenario.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is { } name && Scenario.All.All(s => s.Name != name))
                result.AddError($"there is no scenario {name}: use one of {string.Join(", ", Scenario.All.Select(s => s.Name))}");
        });
        var command = new TeachingCommand("simulate",
            "Simulates runs whose nodes, supervisors, messages and disks fail, and checks that each ends with the answer " +
            "of an undisturbed run. " +
            "What decides is the code that real runs use, on a virtual clock and network; only the arithmetic is made up.",
            """
            elastic simulate --seeds 5000                              before a release
            elastic simulate --scenario churn --from 4711 --seeds 1    one run again
            """)
        { seeds, from, scenario, json };
        command.SetAction((parsed, cancel) => Task.Run(
            () => Simulate(
                Scenario.All.Where(s => parsed.GetValue(scenario) is not { } name || s.Name == name),
                parsed.GetValue(from), parsed.GetValue(seeds),
                CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error, cancel),
            cancel));
        return command;
    }

    private static void AtLeast(System.CommandLine.Parsing.OptionResult result, Option<int> option, int least)
    {
        if (result.Tokens.Count > 0 && result.GetValueOrDefault<int>() < least)
            result.AddError($"{option.Name} {result.Tokens[0].Value}: use at least {least}");
    }

    private static int Simulate(
        IEnumerable<Scenario> scenarios, int from, int seeds, CommandOutput output, TextWriter error, CancellationToken cancel)
    {
        var (failed, reached, results) = (0, new Reached(), new JsonArray());
        foreach (var scenario in scenarios)
        {
            var violations = SimulateAll(scenario, from, seeds, reached, output, error, cancel);
            output.Say($"{scenario.Name}: {seeds} simulated {(seeds == 1 ? "run" : "runs")}, "
                + $"{violations} {(violations == 1 ? "violation" : "violations")}");
            results.Add(new JsonObject { ["scenario"] = scenario.Name, ["runs"] = seeds, ["violations"] = violations });
            failed += violations;
        }

        // What no run came to, the simulation says nothing about.
        output.Say("how often:");
        foreach (var (situation, times) in reached.Counts)
            output.Say($"{times,10}  {situation}");
        output.Result(new JsonObject
        {
            ["scenarios"] = results,
            ["violations"] = failed,
            ["situations"] = new JsonObject(reached.Counts.Select(c => KeyValuePair.Create(c.Situation, (JsonNode?)c.Times))),
        });
        return failed == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static int SimulateAll(
        Scenario scenario, int from, int seeds, Reached reached, CommandOutput output, TextWriter error, CancellationToken cancel)
    {
        var (done, violations, shown) = (0, 0, Stopwatch.StartNew());
        var console = new Lock();                                     // the workers below share both writers and the counts
        Parallel.For(0, seeds, new ParallelOptions { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            var (violation, came) = ViolationIn(scenario, from + i);
            lock (console)
            {
                if (came is not null)
                    reached.Add(came);
                done++;
                if (violation is not null)
                {
                    violations++;
                    error.WriteLine($"error: {scenario.Name}, seed {from + i}: {violation}");
                    error.WriteLine($"       again: elastic simulate --scenario {scenario.Name} --from {from + i} --seeds 1");
                }

                if (shown.Elapsed >= BetweenLines)
                {
                    output.Say($"{scenario.Name}: {done} of {seeds}");
                    shown.Restart();
                }
            }
        });
        return violations;
    }

    private static (string? Violation, Reached? Reached) ViolationIn(Scenario scenario, int seed)
    {
        try
        {
            return (null, scenario.Run(seed).Supervisor.Reached);
        }
        catch (Exception e)
        {
            return (e is InvariantException ? e.Message : e.ToString(), null);   // any other exception is a violation, too
        }
    }
}
