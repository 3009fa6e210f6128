using Elastic.Actors.Hosting;
using Elastic.Foundation;

namespace Elastic.Actors.Tests.Hosting;

public sealed class DeviceNamesTests
{
    private const string Forms = ": use \"auto\", \"cpu:N\", \"cpu:0,2\", \"cuda:all\", \"cuda:0,1\", \"cuda:0#0,0#1\" or \"none\"";
    private const string Unbuilt =
        "this program was built without devices of this kind; it knows cpu, roomy: build it with -p:Cuda=true, or use cpu:N";

    [Theory]
    [InlineData("cpu:3", "cpu:0 cpu:1 cpu:2")]
    [InlineData("cpu:2,0", "cpu:0 cpu:2")]
    [InlineData("none", "")]
    public void Devices_are_counted_or_named(string text, string devices) =>
        Assert.Equal(devices, string.Join(' ', DeviceNames.Parse(text)));

    [Theory]
    [InlineData("cpu:1,1", "node.devices names device 1 twice: name each once")]
    [InlineData("cuda:0,0", "node.devices names device 0 twice: name each once")]
    [InlineData("cuda:0#1,0#1", "node.devices names device 0#1 twice: name each once")]
    [InlineData("cuda:1#0,1,0", "node.devices names cuda:1 and cuda:1#0: name the GPU, or its logical devices")]
    [InlineData("cuda:0#1", $"node.devices names cuda:0#1, but {Unbuilt}")]
    [InlineData("cuda:0#", $"node.devices = \"cuda:0#\"{Forms}")]
    [InlineData("cuda:0#1#2", $"node.devices = \"cuda:0#1#2\"{Forms}")]
    [InlineData("cpu:0#1,1", $"node.devices = \"cpu:0#1,1\"{Forms}")]
    [InlineData("cuda:7", $"node.devices names cuda:7, but {Unbuilt}")]
    [InlineData("cuda:all", $"node.devices = cuda:all, but {Unbuilt}")]
    [InlineData("", $"node.devices = \"\"{Forms}")]
    [InlineData("cpu:0", $"node.devices = \"cpu:0\"{Forms}")]
    [InlineData("cpu:-1", $"node.devices = \"cpu:-1\"{Forms}")]
    [InlineData("cpu:1025", $"node.devices = \"cpu:1025\"{Forms}")]
    [InlineData("cpu:0,", $"node.devices = \"cpu:0,\"{Forms}")]
    [InlineData("tpu:0,1", $"node.devices = \"tpu:0,1\"{Forms}")]
    public void What_names_no_device_or_one_twice_or_one_that_is_not_there_is_refused_in_a_sentence(string text, string why) =>
        Assert.Equal(why, Assert.Throws<ElasticException>(() => DeviceNames.Parse(text)).Message);
}
