using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm node</c>: the machines that compute.</summary>
internal static class NodePalette
{
    private static readonly ArgumentHelp Node = new("n", "node", "NODE",
        "Names the node, by its address or its id. Where there is only one, it may be left out.", Names: new("node", "list", "node"));

    private static readonly ArgumentHelp NewDevices = new("d", "devices", "DEVICES",
        "The devices that the node has from now on, as --devices of elastic worker: cpu:4, cpu:0,2, cuda:all. Without this argument "
        + "the node's devices are shown.");

    private static readonly ArgumentHelp DrainedNode = Node with
    {
        Description = "Names the node, by its address or its id.",
        Required = true,
    };

    private static readonly ArgumentHelp Undo = new("u", "undo", "", "Lets the node take work again.", Kind: ArgumentKind.Flag);

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);

    public static Palette Build(IClusterControl control, TimeProvider time) => new("node", "shows the machines that compute",
        [new(
            new CommandHelp("list", "Lists all nodes with their devices and their work.", []), Changes: false,
            (_, cancel) => ListAsync(control, time, cancel)),
        new(
            new CommandHelp("devices",
                "Shows a node's devices, or gives it others. Replicas move to them between two of their steps; nothing starts anew, and no "
                + "weight changes. After a restart the node has those of its command line again.",
                [Node, NewDevices],
                """
                pbm node devices -n 10.0.0.7:4053             shows them
                pbm node devices -n 10.0.0.7:4053 -d cpu:8    eight CPU devices
                pbm node devices -n 10.0.0.7:4053 -d cpu:1,3  these two
                """), Changes: true,
            (call, cancel) => DevicesAsync(control, call, cancel), OnlyWith: NewDevices),
        new(
            new CommandHelp("drain",
                "Makes a node ready to be switched off: it gets no new work, hands over at the next step what it computes, and what only "
                + "it holds is copied away. Ends when nothing is lost with the node. It stays so until --undo, or until its process starts "
                + "again; Ctrl-C ends the watch, not the drain.",
                [DrainedNode, Undo],
                """
                pbm node drain -n 10.0.0.7:4053         ends when the machine may be switched off
                pbm node drain -n 10.0.0.7:4053 --undo  the node takes work again
                """), Changes: true,
            (call, cancel) => DrainAsync(control, time, call, cancel)),
        new(
            new CommandHelp("stacks",
                "Shows what a node's work and threads do, and what they wait for: steps, blocks, calls of the operating system. In which "
                + "functions they are, .NET tells a debugger only: dotnet-stack report -p PROCESS on the node's machine.", [Node]),
            Changes: false, (call, cancel) => StacksAsync(control, call, cancel))]);

    private static async IAsyncEnumerable<PbmLine> StacksAsync(
        IClusterControl control, PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var node = Find(await control.NodesAsync(cancel), call.Value(Node), "stacks");
        var reply = await control.ThreadsAsync(node.Node.Value, call.Origin, cancel);
        if (reply is not NodeReply.Threads threads)
            throw new ElasticException(reply is NodeReply.Refused refused ? refused.Why : $"node {node.Address} gave another answer");
        yield return new PbmLine($"node {node.Address}, process {threads.Process}", new JsonObject
        {
            ["node"] = node.Address,
            ["process"] = threads.Process,
            ["does"] = new JsonArray([.. threads.Lines.Select(l => JsonValue.Create(OneLine.Of(l)))]),
        });
        foreach (var line in threads.Lines)
            yield return new PbmLine(OneLine.Of(line));
        if (threads.Views.Length == 0)
        {
            yield return new PbmLine("its operating system says nothing of its threads");
            yield break;
        }

        var rows = threads.Views.Select(t => t with { Name = OneLine.Of(t.Name), WaitsIn = OneLine.Of(t.WaitsIn) }).ToList();
        var lines = Table.Lay(["THREAD", "STATE", "WAITS IN", ">CPU NOW", ">CPU IN ALL"], [.. rows.Select(t => (string[])
            [t.Name, t.State, t.WaitsIn, Text($"{t.CpuShare:0 %}"), Text($"{t.CpuSeconds:0.0} s")])]);
        yield return new PbmLine(lines[0]);
        foreach (var (thread, line) in rows.Zip(lines.Skip(1)))
            yield return new PbmLine(line, new JsonObject
            {
                ["thread"] = thread.Name,
                ["state"] = thread.State,
                ["waitsIn"] = thread.WaitsIn,
                ["cpuShare"] = thread.CpuShare,
                ["cpuSeconds"] = thread.CpuSeconds,
            });

        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    private static async IAsyncEnumerable<PbmLine> DevicesAsync(
        IClusterControl control, PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var node = Find(await control.NodesAsync(cancel), call.Value(Node), "devices");
        var (devices, notice) = ((IReadOnlyList<string>)node.Devices, (string?)null);
        if (call.Value(NewDevices) is { } asked)
        {
            switch (await control.UseDevicesAsync(node.Node.Value, asked, call.Origin, cancel))
            {
                case NodeReply.Refused refused:
                    throw new ElasticException(refused.Why);
                case NodeReply.HasDevices has:
                    (devices, notice) = ([.. has.Devices.Select(d => d.Value)], has.Notice);
                    break;
            }
        }

        yield return new PbmLine($"node {node.Address} has {(devices.Count == 0 ? "no devices" : Devices(devices))}", new JsonObject
        {
            ["node"] = node.Address,
            ["devices"] = new JsonArray([.. devices.Select(d => JsonValue.Create(d))]),
        });
        if (notice is not null)
            yield return new PbmLine(notice, new JsonObject { ["node"] = node.Address, ["notice"] = notice });
    }

    private static async IAsyncEnumerable<PbmLine> DrainAsync(
        IClusterControl control, TimeProvider time, PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var node = Find(await control.NodesAsync(cancel), call.Required(DrainedNode), "drain");
        var undo = call.Values(Undo).Count > 0;
        if (node.State == "leaving")
            throw new ElasticException($"node {node.Address} leaves already: its process ends when it has handed over what it has");
        switch (await control.DrainAsync(node.Node.Value, undo, call.Origin, cancel))
        {
            case NodeReply.Refused refused:
                throw new ElasticException(refused.Why);
            case NodeReply.Drains drains when drains.IsDraining == undo:
                throw new ElasticException($"node {node.Address} leaves already: its process ends when it has handed over what it has");
        }

        if (undo)
        {
            yield return new PbmLine($"node {node.Address} takes work again", Line("up"));
            yield break;
        }

        yield return new PbmLine($"node {node.Address} gets no new work", Line("draining"));
        var (said, began) = ((string?)null, false);
        for (; ; await Task.Delay(BetweenLooks, time, cancel))
        {
            var nodes = await control.NodesAsync(cancel);
            var now = nodes.FirstOrDefault(n => n.Node == node.Node);
            began |= now?.State == "draining";
            if (now is not { State: "draining" or "up" } || (began && now.State == "up"))
            {
                node = now ?? node with { State = "gone" };
                break;
            }

            var waits = now.Work.Length > 0 ? $"it hands over: {string.Join("; ", now.Work)}"
                : nodes.Any(n => n.State == "up" && n.Node != node.Node) ? "it waits until others have what only it holds"
                : "no other node is up to take what it holds: start one, or undo the drain";
            if (waits != said)
                yield return new PbmLine($"node {node.Address}: {waits}", Line("draining", waits));
            said = waits;
        }

        if (node.State != "drained")
            throw new ElasticException(node.State switch
            {
                "leaving" => $"node {node.Address} leaves: its process ends when it has handed over what it has",
                "up" => $"node {node.Address} takes work again: somebody has undone the drain, or its process has started anew",
                _ => $"node {node.Address} is {node.State}: it was not drained to the end; what only it held is computed again unless it "
                    + "comes back",
            });
        yield return new PbmLine(
            $"node {node.Address} is drained: it can be switched off, and nothing is lost"
            + (node.Seed
                ? ". It is a seed: its journal, checkpoints and corpora stay in its data directory, and without any seed runs wait" : ""),
            Line("drained"));

        JsonObject Line(string state, string? waitsFor = null) =>
            new() { ["node"] = node.Address, ["state"] = state, ["waitsFor"] = waitsFor };
    }

    // The node of that address or id, or the only one.
    private static NodeView Find(NodeView[] nodes, string? name, string command) =>
        Named.Find("node", nodes, n => [n.Address, n.Node.Value], name is null ? null : Endpoint.Normalized(name), command, NoNodes);

    private static async IAsyncEnumerable<PbmLine> ListAsync(
        IClusterControl control, TimeProvider time, [EnumeratorCancellation] CancellationToken cancel)
    {
        var nodes = (await control.NodesAsync(cancel)).OrderBy(n => n.Address, StringComparer.Ordinal).ToList();
        if (nodes.Count == 0)
        {
            yield return new PbmLine(NoNodes);
            yield break;
        }

        var lines = Table.Lay(["NODE", "STATE", "ROLE", "DEVICES", "VERSION", "ARITHMETIC", "WORK"],
            [.. nodes.Select(n => (string[])
                [n.Address, n.State, RoleOf(n), Devices(n.Devices), n.Version, n.Arithmetic, string.Join("; ", n.Work)])]);
        yield return new PbmLine(lines[0]);
        foreach (var (node, line) in nodes.Zip(lines.Skip(1)))
            yield return new PbmLine(line, Json(node));
        foreach (var warning in CertificateWarnings.Of(nodes, time.GetUtcNow()))
            yield return new PbmLine(warning);
    }

    private static string RoleOf(NodeView node) => string.Join(' ', [node.Seed ? "seed" : "worker", .. node.Labels]);

    private const string NoNodes = "no nodes yet: start one with elastic worker --seed HOST:PORT";

    /// <summary>Joins devices with consecutive numbers: "cuda:0-7", "cpu:0-1 cuda:0", "cuda:0#0-3".</summary>
    public static string Devices(IEnumerable<string> devices) => string.Join(' ', devices
        .Select(d => (Name: d, Number: d.LastIndexOfAny([':', '#']) + 1))
        .GroupBy(d => d.Name[..d.Number], d => int.TryParse(d.Name[d.Number..], out var number) ? number : 0)
        .OrderBy(kind => kind.Key, StringComparer.Ordinal)
        .Select(kind => $"{kind.Key}{Ranges([.. kind.Order()])}"));

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

    /// <summary>A node for scripts.</summary>
    public static JsonObject Json(NodeView node) => new()
    {
        ["node"] = node.Address,
        ["nodeId"] = node.Node.Value,
        ["state"] = node.State,
        ["seed"] = node.Seed,
        ["labels"] = new JsonArray([.. node.Labels.Select(l => JsonValue.Create(l))]),
        ["devices"] = new JsonArray([.. node.Devices.Select(d => JsonValue.Create(d))]),
        ["endpoint"] = node.Endpoint,
        ["version"] = node.Version,
        ["arithmetic"] = node.Arithmetic,
        ["freeMemoryBytes"] = node.FreeMemoryBytes > 0 ? node.FreeMemoryBytes : null,
        ["certificateExpires"] = CertificateWarnings.ExpiryOf(node),
        ["work"] = new JsonArray([.. node.Work.Select(w => JsonValue.Create(w))]),
    };
}
