using System.Runtime.InteropServices;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Kernels;
using Elastic.Model.Training;

namespace Elastic.Host.Doctor;

/// <summary>The means of this machine: system, arithmetic, devices, memory, text to train on.</summary>
internal static class MachineFindings
{
    // The tiny preset needs a few hundred megabytes.
    private const double LeastMemory = 1L << 30;

    public static Finding System() => new(
        "system",
        $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}, {RuntimeInformation.FrameworkDescription}");

    /// <summary>What computes here, and how.</summary>
    public static IEnumerable<Finding> Devices()
    {
        var set = InstructionSet.Describe();
        yield return new Finding("arithmetic", $"{Arithmetic.OfCpus}, by {set.Name}", set.IsSlow
            ? "this processor has no fused multiply-add: results are the same, and come some fifty times slower; train on another machine"
            : null);
        foreach (var backend in DeviceBackends.All.Where(b => b.Kind != "cpu"))
            yield return Of(backend);
        if (DeviceBackends.Find("cuda") is null)
            yield return new Finding("gpus", "none: this program was built for CPUs only; for GPUs build it with -p:Cuda=true");
        yield return new Finding("devices", $"{Environment.ProcessorCount} {(Environment.ProcessorCount == 1 ? "core" : "cores")}");
    }

    private static Finding Of(IDeviceBackend backend)
    {
        try
        {
            return new Finding(backend.Kind, backend.Describe());
        }
        catch (ElasticException e)
        {
            return new Finding(backend.Kind, e.Message.Split('\n')[0],
                "build again (dotnet build), install libstdc++6 where it is missing, or name another libtorch with ELASTIC_LIBTORCH=DIR");
        }
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
