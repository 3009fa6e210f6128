using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm cluster</c>: the members of the cluster, and their leader.</summary>
internal static class ClusterPalette
{
    public static Palette Build(ClusterControl control, TimeProvider time) => new("cluster", "shows who belongs to the cluster",
        [new(
            new CommandHelp("show", "Shows the members, the leader, and which member supervises the runs.", []), Changes: false,
            (_, cancel) => ShowAsync(control, time, cancel))]);

    private static async IAsyncEnumerable<PbmLine> ShowAsync(
        ClusterControl control, TimeProvider time, [EnumeratorCancellation] CancellationToken cancel)
    {
        var cluster = await control.Cluster(cancel);
        // Only a supervisor knows the nodes' certificates.
        IReadOnlyList<string> warnings = cluster.Supervisor is null
            ? [] : [.. CertificateWarnings.Of(await control.Nodes(cancel), time.GetUtcNow())];
        yield return new PbmLine(null, Json(cluster, warnings));
        var rows = cluster.Members.OrderBy(m => m.Address, StringComparer.Ordinal).Select(m => (string[])
            [m.Address, string.Join(", ", m.Roles), m.Status.ToLowerInvariant(), m.Reachable ? "yes" : "no", Offices(m, cluster)]);
        foreach (var line in Table.Lay(["ADDRESS", "ROLES", "STATUS", "REACHABLE", "OFFICE"], [.. rows]))
            yield return new PbmLine(line);
        yield return new PbmLine(cluster.Security);
        if (cluster.Leader is null)
            yield return new PbmLine("no leader at the moment: nobody joins or leaves until there is one");
        if (cluster.Supervisor is null)
            yield return new PbmLine("no supervisor at the moment: it is moving; the nodes go on computing meanwhile");
        foreach (var warning in warnings)
            yield return new PbmLine(warning);
    }

    private static string Offices(ClusterMember member, ClusterMembers cluster) => string.Join(", ",
        new[] { member.Address == cluster.Leader ? "leader" : "", member.Address == cluster.Supervisor ? "supervisor" : "" }
            .Where(o => o.Length > 0));

    private static JsonObject Json(ClusterMembers cluster, IEnumerable<string> warnings) => new()
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
