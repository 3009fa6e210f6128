using System.Collections.Concurrent;
using Elastic.Messages.Runs;

namespace Elastic.Simulation.Tests;

// Whole runs on many nodes among accidents, the same worlds each time; "elastic simulate" runs thousands of others.
public sealed class RunSimulationTests
{
    private const int Seeds = 300;

    // As churn but for the changes.
    private const int SeedsOfChanges = 60;

    public static TheoryData<string> Scenarios => [.. Scenario.All.Select(s => s.Name)];

    // All of them, once for all tests.
    private static readonly Lazy<(ILookup<string, string> Violations, Reached Reached)> Runs = new(() =>
    {
        var (violations, reached) = (new ConcurrentBag<(string Scenario, string What)>(), new Reached());
        Parallel.ForEach(Scenario.All.SelectMany(
            s => Enumerable.Range(0, s.Name == "changes" ? SeedsOfChanges : Seeds), (Scenario, Seed) => (Scenario, Seed)), run =>
        {
            try
            {
                var world = run.Scenario.Run(run.Seed);
                lock (reached)
                    reached.Add(world.Supervisor.Reached);
            }
            catch (Exception e)
            {
                violations.Add((
                    run.Scenario.Name, $"elastic simulate --scenario {run.Scenario.Name} --from {run.Seed} --seeds 1: {e}"));
            }
        });
        return (violations.ToLookup(v => v.Scenario, v => v.What), reached);
    });

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void Accidents_do_not_change_the_answer(string scenario) => Assert.Empty(Runs.Value.Violations[scenario]);

    [Fact]
    public void The_accidents_lead_to_every_rare_situation() =>
        Assert.DoesNotContain(Runs.Value.Reached.Counts, c => c.Times == 0);

    [Fact]
    public void The_accidents_reach_every_kind_of_event()
    {
        var worlds = Enumerable.Range(0, 40).Select(seed => Of("lost-blobs").Run(seed, 3, 3, 20))
            .Concat(Enumerable.Range(0, 10).Select(seed => Of("wrong-results").Run(seed, 3, 3, 10)))
            .Concat(Enumerable.Range(0, 3).Select(seed => Of("changes").Run(seed, 3, 3, 10)));
        Type[] never = [typeof(RunEvent.SettingsChanged)];                  // nobody changes his mind
        Assert.Equal(
            typeof(RunEvent).GetNestedTypes().Except(never).Select(t => t.Name).Order(),
            worlds.SelectMany(w => w.Supervisor.Journal).Select(e => e.GetType().Name).Distinct().Order());
    }

    [Fact]
    public void Even_one_accident_at_a_time_takes_work_with_it_and_stops_and_hands_over()
    {
        var kinds = Enumerable.Range(0, 20)
            .SelectMany(seed => Of("single-loss").Run(seed, 3, 3, 20).Supervisor.Journal)
            .Select(e => e.GetType()).ToHashSet();
        Assert.Contains(typeof(RunEvent.WorkLost), kinds);
        Assert.Contains(typeof(RunEvent.ReplicaHandedOver), kinds);
    }

    private static Scenario Of(string name) => Scenario.All.Single(s => s.Name == name);
}
