using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm node</c>: the machines that compute.</summary>
internal static class NodePalette
{
    public static Palette Build(ClusterControl control, TimeProvider time) => new("node", "shows the machines that compute",
        [new(
            new CommandHelp("list", "Lists all nodes with their devices and their work.", []), Changes: false,
            (_, cancel) => ListAsync(control, time, cancel))]);

    private static async IAsyncEnumerable<PbmLine> ListAsync(
        ClusterControl control, TimeProvider time, [EnumeratorCancellation] CancellationToken cancel)
    {
        var nodes = (await control.Nodes(cancel)).OrderBy(n => n.Address, StringComparer.Ordinal).ToList();
        if (nodes.Count == 0)
        {
            yield return new PbmLine("no nodes yet: start one with elastic worker --seed HOST:PORT");
            yield break;
        }

        var lines = Table.Lay(["NODE", "STATE", "ROLE", "DEVICES", "VERSION", "ARITHMETIC", "WORK"],
            [.. nodes.Select(n => (string[])
                [n.Address, n.State, n.Seed ? "seed" : "worker", Devices(n.Devices), n.Version, n.Arithmetic, string.Join("; ", n.Work)])]);
        yield return new PbmLine(lines[0]);
        foreach (var (node, line) in nodes.Zip(lines.Skip(1)))
            yield return new PbmLine(line, Json(node));
        foreach (var warning in CertificateWarnings.Of(nodes, time.GetUtcNow()))
            yield return new PbmLine(warning);
    }

    /// <summary>Joins devices with consecutive numbers: "cuda:0-7", "cpu:0-1 cuda:0".</summary>
    public static string Devices(IEnumerable<string> devices) => string.Join(' ', devices
        .Select(d => d.Split(':', 2))
        .GroupBy(d => d[0], d => d.Length > 1 && int.TryParse(d[1], out var number) ? number : 0)
        .OrderBy(kind => kind.Key, StringComparer.Ordinal)
        .Select(kind => $"{kind.Key}:{Ranges([.. kind.Order()])}"));

    private static string Ranges(IReadOnlyList<int> numbers)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (var n in numbers)
        {
            if (ranges.Count > 0 && ranges[^1].Last + 1 == n)
                ranges[^1] = (ranges[^1].First, n);
            else
                ranges.Add((n, n));
        }

        return string.Join(',', ranges.Select(r => r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}"));
    }

    private static JsonObject Json(NodeView node) => new()
    {
        ["node"] = node.Address,
        ["nodeId"] = node.Node.Value,
        ["state"] = node.State,
        ["seed"] = node.Seed,
        ["devices"] = new JsonArray([.. node.Devices.Select(d => JsonValue.Create(d))]),
        ["endpoint"] = node.Endpoint,
        ["version"] = node.Version,
        ["arithmetic"] = node.Arithmetic,
        ["certificateExpires"] = CertificateWarnings.ExpiryOf(node),
        ["work"] = new JsonArray([.. node.Work.Select(w => JsonValue.Create(w))]),
    };
}
