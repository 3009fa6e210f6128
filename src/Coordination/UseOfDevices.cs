using Elastic.Messages;

namespace Elastic.Coordination;

/// <summary>What a run that is open on a node can do with its devices.</summary>
/// <param name="MostDevices">What a replica of it may have.</param>
/// <param name="MicroBatches">What a step of a replica can be divided into.</param>
internal readonly record struct UseOfDevices(RunName Run, int MostDevices, int MicroBatches)
{
    /// <summary>A sentence where some run has no use for all of these devices as they are; null where each has.</summary>
    public static string? Notice(IReadOnlyList<DeviceId> devices, IReadOnlyList<UseOfDevices> open)
    {
        if (open.Where(r => r.MostDevices < devices.Count).OrderBy(r => r.MostDevices).Take(1).ToList() is [var few])
            return $"a replica of run {few.Run} uses {few.MostDevices} of these {devices.Count} devices: pbm run scale allows no more; "
                + "the others work where the node has several replicas";
        return open.Where(r => r.MicroBatches < devices.Count).OrderBy(r => r.MicroBatches).Take(1).ToList() is [var divided]
            ? $"a step of run {divided.Run} can be divided among {divided.MicroBatches} of these {devices.Count} devices: "
              + (devices.All(d => d.IsCpu)
                  ? "the others lend their threads to those" : "the others work where the node has several replicas")
              + "; a new run with a smaller batch.micro divides its steps better"
            : null;
    }
}
