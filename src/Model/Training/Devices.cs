using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using TorchSharp;

namespace Elastic.Model.Training;

/// <summary>Devices by name.</summary>
public static class Devices
{
    /// <summary>"cpu:3" is a slot on the CPU, "cuda:1" the second GPU.</summary>
    /// <exception cref="ElasticException">The name is none of these, or the GPU does not exist.</exception>
    public static torch.Device Open(DeviceId id)
    {
        var parts = id.Value.Split(':');
        if (parts.Length != 2 || parts[0] is not ("cpu" or "cuda")
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            throw new ElasticException($"\"{id}\" is no device: use a name like \"cpu:0\" or \"cuda:0\"");
        if (parts[0] == "cpu")
            return torch.CPU;
        var count = torch.cuda_is_available() ? torch.cuda.device_count() : 0;
        if (index >= count)
            throw new ElasticException($"{id}: this machine offers {count} CUDA devices to libtorch");
        torch.InitializeDeviceType(DeviceType.CUDA);
        return new torch.Device(DeviceType.CUDA, index);
    }
}
