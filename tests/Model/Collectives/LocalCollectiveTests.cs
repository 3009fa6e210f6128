using Elastic.Model.Training;

namespace Elastic.Model.Tests.Collectives;

public class LocalCollectiveTests : BucketContract
{
    protected override ICollective Open(IReadOnlyList<IDeviceThread> devices, TimeProvider time) => new LocalCollective(devices, time);
}
