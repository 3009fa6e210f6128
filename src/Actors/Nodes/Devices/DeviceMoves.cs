namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// The devices that a replica is to move to: whoever decides puts them here, and the replica takes them between two steps. Only the newest
/// ones count.
/// </summary>
internal sealed class DeviceMoves
{
    private DeviceGroup? _next;

    public void Set(DeviceGroup devices) => Interlocked.Exchange(ref _next, devices);

    /// <summary>The devices to move to; null where the replica stays. Each move is taken once.</summary>
    public DeviceGroup? Take() => Interlocked.Exchange(ref _next, null);
}
