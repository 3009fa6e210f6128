using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

public class ArithmeticTests
{
    [Fact]
    public void Devices_of_one_node_have_one_arithmetic_or_are_refused_by_name()
    {
        DeviceBackends.Register(new OddAndEven());
        Assert.Equal(Arithmetic.OfCpus, Arithmetic.OfAll([new DeviceId("cpu:0"), new DeviceId("cpu:1")]));
        Assert.Equal("odd", Arithmetic.OfAll([new DeviceId("parity:1"), new DeviceId("parity:3")]));
        Assert.Equal(
            "the devices of this node do not compute the same bits (parity:1: odd; parity:2: even): " +
            "name those of one kind with node.devices, and start another node for the others",
            Assert.Throws<ElasticException>(() => Arithmetic.OfAll(
                [new DeviceId("parity:1"), new DeviceId("parity:2"), new DeviceId("parity:3")])).Message);
    }

    // A kind of device of which some compute other bits than others, as GPUs of two models do.
    private sealed class OddAndEven : IDeviceBackend
    {
        public string Kind => "parity";

        public int Count => 4;

        public string Describe() => "";

        string IDeviceBackend.Arithmetic(DeviceId device) => (device.Value[^1] - '0') % 2 == 1 ? "odd" : "even";

        public TrainingDevice Open(
            DeviceId device, IArchitecture architecture, double labelSmoothing, int threads, RecomputeMode recompute)
            => throw new NotSupportedException();

        public DeviceVector Allocate(DeviceId device, long length) => throw new NotSupportedException();

        public DeviceVector Allocate(DeviceId device, long length, IReadOnlyList<(long First, long Count)> ranges) =>
            throw new NotSupportedException();
    }
}
