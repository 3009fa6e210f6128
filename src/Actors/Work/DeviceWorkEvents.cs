using Akka.Actor;
using Elastic.Messages;

namespace Elastic.Actors.Work;

// What work on devices tells its node, besides its end.

/// <summary>The work has moved to the devices that it was last told to.</summary>
internal sealed record WorkMoved(int Number) : INoSerializationVerificationNeeded;

/// <summary>A device hangs or is gone, and the work can repeat its step on others: it waits to hear on which.</summary>
internal sealed record WorkGoesBack(int Number, DeviceId Device, string Why) : INoSerializationVerificationNeeded;

/// <summary>The work has ended, because a device hangs or is gone. Its memory may be half written.</summary>
internal sealed record WorkLostDevice(int Number, DeviceId Device, string Why) : INoSerializationVerificationNeeded;
