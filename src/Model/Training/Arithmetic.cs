using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Model.Training;

/// <summary>
/// The text of what the bits of a result depend on besides settings, seed and corpus. Two devices with the same text compute the same bits;
/// a run keeps the text that it began with.
/// </summary>
public static class Arithmetic
{
    /// <summary>
    /// The arithmetic of every CPU: "cpu" and the version of the kernels. The version is raised whenever a change to the code gives other
    /// bits for the same run. The first one, which no text names any more, also depended on the processor's maker and instruction set.
    /// </summary>
    public const string OfCpus = "cpu 2";

    /// <summary>The arithmetic that all devices of a node have.</summary>
    /// <exception cref="ElasticException">They have several.</exception>
    public static string OfAll(IReadOnlyList<DeviceId> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        var kinds = devices.GroupBy(Of).Select(g => (Text: g.Key, Device: g.First())).ToList();
        return kinds.Count == 1 ? kinds[0].Text : throw new ElasticException(
            $"the devices of this node do not compute the same bits ({string.Join("; ", kinds.Select(k => $"{k.Device}: {k.Text}"))}): " +
            "name those of one kind with node.devices, and start another node for the others");
    }

    /// <summary>E.g. "cpu 2".</summary>
    public static string Of(DeviceId device) => DeviceBackends.Of(device).Arithmetic(device);
}
