using System.Runtime.InteropServices;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Model.Native;

namespace Elastic.Host.Doctor;

/// <summary>The means of this machine: system, libtorch, devices, memory, text to train on.</summary>
internal static class MachineFindings
{
    // The tiny preset needs a few hundred megabytes, libtorch itself most of them.
    private const double LeastMemory = 1L << 30;

    public static Finding System() => new(
        "system",
        $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}, {RuntimeInformation.FrameworkDescription}");

    /// <summary>The loaded libtorch, its origin, and the devices that it offers.</summary>
    public static IEnumerable<Finding> Native()
    {
        NativeTorchDescription torch;
        Finding? problem = null;
        try
        {
            torch = NativeTorch.Describe();
        }
        catch (Exception e) when (e is ElasticException or DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            torch = null!;
            problem = new Finding("libtorch", e.Message.Split('\n')[0],
                "build again (dotnet build), install libstdc++6 where it is missing, or name another libtorch with ELASTIC_LIBTORCH=DIR");
        }

        if (problem is not null)
        {
            yield return problem;
            yield break;
        }

        yield return new Finding("libtorch", $"{torch.Version} from {torch.Folder} ({torch.Origin}), kernels for {torch.CpuCapability}");
        yield return new Finding("devices", torch.CudaDevices > 0
            ? $"{torch.CudaDevices} CUDA {(torch.CudaDevices == 1 ? "device" : "devices")}, {torch.Cores} cores"
            : $"no CUDA, {torch.Cores} {(torch.Cores == 1 ? "core" : "cores")}: up to {torch.Cores} CPU devices of one thread each");
    }

    public static Finding Memory()
    {
        var memory = MachineMemory.Now();
        return new Finding("memory", $"{Units.Bytes(memory.FreeBytes)} free of {Units.Bytes(memory.TotalBytes)}",
            memory.FreeBytes < LeastMemory
                ? "stop other programs, raise the container's limit, or take a smaller batch.micro: it decides how much memory a step takes"
                : null);
    }

    /// <summary>Whether <c>elastic train</c> finds text when none is named.</summary>
    public static Finding DefaultText()
    {
        try
        {
            var files = DefaultCorpus.Find();
            return new Finding("corpus",
                $"{files.Count} documentation files of the .NET SDK, {Units.Bytes(files.Sum(f => new FileInfo(f.Path).Length))}");
        }
        catch (ElasticException e)
        {
            return new Finding("corpus", e.Message, "train on your own text: elastic train --corpus DIR");
        }
    }
}
