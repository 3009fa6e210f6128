using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Actors.Hosting;

/// <summary>Reads <c>node.devices</c>.</summary>
public static class DeviceNames
{
    // Slots of the CPU; a machine of more cores gives a slot several threads.
    private const int MostSlots = 1024;

    /// <summary>Refuses what only CPU devices offer where a node has others.</summary>
    /// <exception cref="ElasticException">It is so; names the setting.</exception>
    public static void CheckSharding(NodeSettings node, IReadOnlyList<DeviceId> devices)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(devices);
        if (devices.All(d => d.IsCpu))
            return;
        var other = devices.First(d => !d.IsCpu);
        if (node.Zero == 2)
            throw new ElasticException(
                $"node.zero = 2 is for replicas on CPU devices, and this node has {other}: use node.zero = 1, and node.split = pipeline:2, "
                + "of which each device has sums of its own layers' gradients only");
        if (node.ReplicaSplit.Tensor > 1)
            throw new ElasticException(
                $"node.split = {node.Split} is for CPU devices, and this node has {other}, whose libraries compute products of a share's "
                + $"shape by other algorithms, with other bits: use node.split = pipeline:{Math.Max(2, node.ReplicaSplit.Devices)}");
        if (node.Offload != OffloadMode.None)
            throw new ElasticException($"node.offload = file is for CPU devices, and this node has {other}: use node.offload = none");
    }

    /// <summary>
    /// "auto" (all GPUs, else one CPU device), "cpu:N" (N devices), "cpu:0,2" (these), "cuda:all", "cuda:0,2", "cuda:0#0,0#1" (logical
    /// devices: streams of one GPU); "none" for a process that only stores.
    /// </summary>
    /// <param name="option">Where the text comes from, for messages.</param>
    /// <exception cref="ElasticException">
    /// The text has another form, or names a device twice, or a GPU that does not exist.
    /// </exception>
    public static IReadOnlyList<DeviceId> Parse(string devices, string option = "node.devices")
    {
        if (devices == "none")
            return [];
        var backend = DeviceBackends.Find("cuda");
        var gpus = backend?.Count ?? 0;
        switch (devices.Split(':'))
        {
            case ["auto"]:
                return Named(gpus > 0 ? "cuda" : "cpu", Enumerable.Range(0, Math.Max(1, gpus)));
            case [var kind, "all"] when DeviceBackends.Find(kind) is { Count: > 0 and < int.MaxValue } found:
                return Named(kind, Enumerable.Range(0, found.Count));
            case [var kind, "all"] when kind != "cpu":
                throw new ElasticException(
                    $"{option} = {devices}, but {Unseen(kind)}, or use cpu:N");
            case ["cuda", var list] when GpuNames.Parse(list, backend?.MostParts ?? int.MaxValue, option) is { } names:
                return names.FirstOrDefault(n => n.Gpu >= gpus, new(-1, null)) is { Gpu: >= 0 } missing
                    ? throw new ElasticException(
                        $"{option} names cuda:{missing}, but "
                        + (gpus == 0 ? $"{Unseen("cuda")}, or use cpu:N" : $"this program sees {gpus} of them here: see elastic doctor"))
                    : [.. names.Select(n => new DeviceId($"cuda:{n}"))];
            case [var kind, var list]
                when list.Contains(',', StringComparison.Ordinal) && DeviceBackends.Find(kind) is not null
                     && Indices(list, option) is { Length: <= MostSlots } indices && indices[^1] < MostSlots:
                return Named(kind, indices);
            case [var kind, var count]
                when DeviceBackends.Find(kind) is not null
                     && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var slots)
                     && slots is > 0 and <= MostSlots:
                return Named(kind, Enumerable.Range(0, slots));
            default:
                throw new ElasticException(
                    $"{option} = \"{devices}\": use \"auto\", \"cpu:N\", \"cpu:0,2\", \"cuda:all\", \"cuda:0,1\", " +
                    "\"cuda:0#0,0#1\" or \"none\"");
        }
    }

    /// <summary>
    /// Threads of each CPU device: as set; else all cores for the one device of "auto", and one for each that is counted.
    /// </summary>
    public static int ThreadsPerDevice(NodeSettings node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return node.ThreadsPerDevice > 0 ? node.ThreadsPerDevice : node.Devices == "auto" ? Environment.ProcessorCount : 1;
    }

    // A program without the backend sees no device of the kind wherever it runs.
    private static string Unseen(string kind) => DeviceBackends.Find(kind) is not null
        ? "this program sees no device of this kind here: see elastic doctor"
        : DeviceBackends.Without + (kind == "cuda" ? ": build it with -p:Cuda=true" : ": name one of these");

    private static DeviceId[] Named(string kind, IEnumerable<int> indices) => [.. indices.Select(i => new DeviceId($"{kind}:{i}"))];

    private static int[]? Indices(string list, string option)
    {
        var indices = new SortedSet<int>();
        foreach (var word in list.Split(','))
        {
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                return null;
            if (!indices.Add(index))
                throw new ElasticException($"{option} names device {index} twice: name each once");
        }

        return [.. indices];
    }
}
