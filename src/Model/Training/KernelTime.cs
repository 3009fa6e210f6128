namespace Elastic.Model.Training;

/// <summary>What a training step spent in one kernel, one shape of product, or one pass of attention.</summary>
/// <param name="Name">E.g. "adamw_update_bf16" or "product bf16 4096x3072x768 NN to fp32".</param>
/// <param name="Calls">In the step.</param>
/// <param name="Seconds">Seconds of all calls together, by the device's own clock.</param>
/// <param name="Operations">Multiplications and additions of all of them; 0 where nobody counts them.</param>
/// <param name="Bytes">
/// To and from memory, of each element as often as it must be read or written; 0 where nobody counts them.
/// </param>
public sealed record KernelTime(string Name, int Calls, double Seconds, double Operations, double Bytes)
{
    /// <summary>Operations a second, in 10^12; 0 where nobody counts them.</summary>
    public double TeraFlops => Seconds > 0 ? Operations / Seconds / 1e12 : 0;

    /// <summary>Bytes a second, in 10^9; 0 where nobody counts them.</summary>
    public double GigabytesPerSecond => Seconds > 0 ? Bytes / Seconds / 1e9 : 0;
}

/// <summary>A training step of GPT-2 124M in bf16 on one device, kernel by kernel.</summary>
/// <param name="MicroBatches">Micro-batches of the step.</param>
/// <param name="Seconds">Seconds of a step in which nobody measures kernels; the median of some.</param>
/// <param name="Kernels">Kernels of another step, the longest first.</param>
public sealed record StepTimes(int MicroBatches, double Seconds, IReadOnlyList<KernelTime> Kernels)
{
    /// <summary>What the kernels leave of the step: libtorch's own operators, copies, gaps.</summary>
    public double RestSeconds => Seconds - Kernels.Sum(k => k.Seconds);
}
