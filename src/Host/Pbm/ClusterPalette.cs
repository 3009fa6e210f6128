using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm cluster</c>: the members of the cluster, their leader, and what happens there.</summary>
internal static class ClusterPalette
{
    // People see what happens within a second; a query of an index costs the database next to nothing.
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);
    private const int Earlier = 10, MostAtOnce = 500;

    private static readonly ArgumentHelp Run = new(
        "n", "name", "NAME", "Shows what is observed of this run only.", Names: new("run", "list", "run"));

    private static readonly ArgumentHelp All = new(
        "a", "all", "", "Shows steps, phases of rounds and scores by source, too.", Kind: ArgumentKind.Flag);

    // Each of them comes many times in a round.
    private static readonly Type[] Frequent = [typeof(StepLoss), typeof(PhaseDuration), typeof(ScoreOfSource), typeof(ScoreOfLanguage)];

    private static readonly Type[] Kinds =
        [.. typeof(Observation).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Observation)) && !t.IsAbstract)];

    public static Palette Build(IClusterControl control, TimeProvider time) => new(
        "cluster", "shows who belongs to the cluster, and what happens there",
        [new(
            new CommandHelp("show",
                "Shows the members, the leader, which member supervises the runs, and which run gets devices before which.", []),
            Changes: false,
            (_, cancel) => ShowAsync(control, time, cancel)),
        new(
            new CommandHelp("tail",
                "Shows what happens, as it is observed, until Ctrl-C: nodes that come and are lost, work that is given out again, rounds, "
                + $"scores, failures. Begins with the last {Earlier}.",
                [Run, All],
                """
                pbm cluster tail
                pbm cluster tail -n first --json    one run, an object a line
                """, Follows: true), Changes: false,
            (call, cancel) => TailAsync(control, time, call, cancel))]);

    private static async IAsyncEnumerable<PbmLine> TailAsync(
        IClusterControl control, TimeProvider time, PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        RunId? run = call.Value(Run) is { } name
            ? (await control.RunsAsync(cancel)).FirstOrDefault(r => r.Name.Value == name)?.RunId
                ?? throw new NotFoundException($"there is no run {name}; see pbm run list")
            : null;
        var query = new ObservationQuery(
            Run: run, Kinds: call.Values(All).Count > 0 ? Kinds : [.. Kinds.Except(Frequent)], AtMost: Earlier, Newest: true);
        var lines = new ObservationLines(RunExplanation.NamesOf(await control.NodesAsync(cancel)));
        while (true)
        {
            var observed = await control.ObservedAsync(query, cancel);
            foreach (var one in observed)
                yield return new PbmLine(lines.Of(one), ObservationJson.Of(one));
            query = query with { After = observed.Count > 0 ? observed[^1].Id : query.After, AtMost = MostAtOnce, Newest = false };
            if (observed.Count < MostAtOnce)
                await Task.Delay(BetweenLooks, time, cancel);
        }
    }

    private static async IAsyncEnumerable<PbmLine> ShowAsync(
        IClusterControl control, TimeProvider time, [EnumeratorCancellation] CancellationToken cancel)
    {
        var cluster = await control.ClusterAsync(cancel);
        // Only a supervisor knows the nodes' certificates.
        var isSupervised = cluster.Supervisor is not null;
        IReadOnlyList<NodeView> nodes = isSupervised ? await control.NodesAsync(cancel) : [];
        IReadOnlyList<RunView> runs = isSupervised ? await control.RunsAsync(cancel) : [];
        IReadOnlyList<string> warnings = [.. CertificateWarnings.Of(nodes, time.GetUtcNow())];
        var json = Json(cluster, warnings);
        json["queue"] = RunQueue.Json(runs, nodes);
        yield return new PbmLine(null, json);
        var rows = cluster.Members.OrderBy(m => m.Address, StringComparer.Ordinal).Select(m => (string[])
            [m.Address, string.Join(", ", m.Roles), m.Status.ToLowerInvariant(), m.Reachable ? "yes" : "no", Offices(m, cluster)]);
        foreach (var line in Table.Lay(["ADDRESS", "ROLES", "STATUS", "REACHABLE", "OFFICE"], [.. rows]))
            yield return new PbmLine(line);
        yield return new PbmLine(cluster.Security);
        if (cluster.Leader is null)
            yield return new PbmLine("no leader at the moment: nobody joins or leaves until there is one");
        if (cluster.Supervisor is null)
            yield return new PbmLine("no supervisor at the moment: it is moving; the nodes go on computing meanwhile");
        foreach (var line in RunQueue.Lines(runs, nodes).Concat(warnings))
            yield return new PbmLine(line);
    }

    private static string Offices(ClusterMember member, ClusterMembers cluster) => string.Join(", ",
        new[] { member.Address == cluster.Leader ? "leader" : "", member.Address == cluster.Supervisor ? "supervisor" : "" }
            .Where(o => o.Length > 0));

    /// <summary>The members for scripts.</summary>
    public static JsonObject Json(ClusterMembers cluster, IEnumerable<string> warnings) => new()
    {
        ["leader"] = cluster.Leader,
        ["supervisor"] = cluster.Supervisor,
        ["security"] = cluster.Security,
        ["members"] = new JsonArray([.. cluster.Members.Select(m => new JsonObject
        {
            ["address"] = m.Address,
            ["roles"] = new JsonArray([.. m.Roles.Select(r => JsonValue.Create(r))]),
            ["status"] = m.Status.ToLowerInvariant(),
            ["reachable"] = m.Reachable,
        })]),
        ["warnings"] = new JsonArray([.. warnings.Select(w => JsonValue.Create(w))]),
    };
}
