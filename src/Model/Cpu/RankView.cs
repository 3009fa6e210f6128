using System.Runtime.InteropServices;
using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>
/// What an operation sees of the same operation of another rank of its tensor group, in that rank's memory. The rank wrote it before the
/// exchange that came last, and leaves it until the next one (<see cref="PassSegments"/>).
/// </summary>
/// <param name="now">The step of the pass that reads.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct RankView(CpuPass pass, Operation operation, int now)
{
    /// <summary>The rank's operation.</summary>
    public Operation Operation { get; } = operation;

    /// <summary>An input of it: the rank's share.</summary>
    public float* Input(int index) => pass.ValueAt(Operation.Inputs[index], now);

    /// <summary>The gradient of its output.</summary>
    public float* OutputGradient => pass.Gradient(Operation.Output!);

    /// <summary>What its forward pass has saved.</summary>
    public float* Saved => SavedBy(Operation);

    /// <summary>What another operation of the rank has saved.</summary>
    public float* SavedBy(Operation other) => pass.SavedAt(other, now);
}
