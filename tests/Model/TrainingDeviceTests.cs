using Elastic.Messages;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;

namespace Elastic.Model.Tests;

public class TrainingDeviceTests
{
    [Fact]
    public void A_detached_device_computes_nothing_until_it_is_attached_again()
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        using var device = Device();
        Assert.Throws<InvalidOperationException>(() => device.Logits([1, 2]));
        device.Attach(vectors);
        var logits = device.Logits([1, 2]);
        device.Detach();
        device.Detach();
        Assert.Throws<InvalidOperationException>(() => device.Logits([1, 2]));
        device.Attach(vectors);
        Assert.Equal(logits, device.Logits([1, 2]));
    }

    [Fact]
    public void A_micro_batch_that_fails_gives_its_buffer_back()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        using var device = Device();
        void Accumulate() => device.Accumulate(Samples.MicroBatches(model, 1, 2, 0), default);
        device.Attach(vectors);
        Accumulate();
        var buffer = device.Roots.Single().Gradient;
        device.Detach();
        Assert.Throws<InvalidOperationException>(Accumulate);
        device.Attach(vectors);
        Accumulate();
        Assert.Same(buffer, device.Roots.Single().Gradient);
    }

    private static CpuDevice Device() => new(new DeviceId("cpu:0"), Architectures.Open(Samples.Tiny()));
}
