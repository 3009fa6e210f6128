using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Native;
using TorchSharp;

namespace Elastic.Actors.Hosting;

/// <summary>Reads <c>node.devices</c>.</summary>
public static class DeviceNames
{
    /// <summary>
    /// "auto" (all GPUs, else one CPU slot a core), "cpu:N" (N slots), "cuda:all", "cuda:0,2"; "none" for a process that only stores.
    /// </summary>
    /// <exception cref="ElasticException">The text has another form, or names a GPU that does not exist.</exception>
    public static IReadOnlyList<DeviceId> Parse(string devices)
    {
        if (devices == "none")
            return [];
        NativeTorch.Load();
        var gpus = torch.cuda_is_available() ? torch.cuda.device_count() : 0;
        switch (devices.Split(':'))
        {
            case ["auto"]:
                return gpus > 0 ? Named("cuda", Enumerable.Range(0, gpus)) : Named("cpu", Enumerable.Range(0, Environment.ProcessorCount));
            case ["cpu", var count]
                when int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var slots) && slots is > 0 and <= 1024:
                return Named("cpu", Enumerable.Range(0, slots));
            case ["cuda", "all"] when gpus > 0:
                return Named("cuda", Enumerable.Range(0, gpus));
            case ["cuda", "all"]:
                throw new ElasticException("node.devices = cuda:all, but libtorch sees no GPU here: see \"elastic doctor\", or use cpu:N");
            case ["cuda", var list] when Indices(list) is { } indices:
                return indices.FirstOrDefault(i => i >= gpus, -1) is var missing && missing >= 0
                    ? throw new ElasticException(
                        $"node.devices names cuda:{missing}, but libtorch sees {gpus} GPUs here: see \"elastic doctor\"")
                    : Named("cuda", indices);
            default:
                throw new ElasticException(
                    $"node.devices = \"{devices}\": use \"auto\", \"cpu:N\", \"cuda:all\", \"cuda:0,1\" or \"none\"");
        }
    }

    private static DeviceId[] Named(string kind, IEnumerable<int> indices) => [.. indices.Select(i => new DeviceId($"{kind}:{i}"))];

    private static int[]? Indices(string list)
    {
        var indices = new List<int>();
        foreach (var word in list.Split(','))
        {
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
                return null;
            indices.Add(index);
        }

        return [.. indices.Distinct().Order()];
    }
}
