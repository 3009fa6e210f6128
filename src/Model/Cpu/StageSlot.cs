using Elastic.Kernels;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// What passes of a device's stages work with: one at a time, and nothing stays in it from the forward to the backward half of one.
/// </summary>
internal sealed unsafe class StageArena
{
    private HostVector? _floats;

    /// <summary>Its first float.</summary>
    public float* Data => _floats!.Data;

    /// <summary>Makes room for so many floats.</summary>
    public void Reserve(long floats) => StageSlot.Reserve(ref _floats, floats);

    /// <summary>Frees its memory.</summary>
    public void Close() => _floats?.Dispose();
}

/// <summary>What a stage of a pipeline holds of the micro-batches that are between their forward and their backward pass.</summary>
internal sealed class StageSlot
{
    private readonly Dictionary<Tape, CpuPass> _passes = [];
    private HostVector? _kept;

    /// <summary>Their pass.</summary>
    public CpuPass? Pass { get; private set; }

    /// <summary>Their activations.</summary>
    public HostVector? Kept => _kept;

    /// <summary>Takes other micro-batches, of this tape.</summary>
    public CpuPass Open(Tape tape, MemoryPlan plan, ThreadTeam team)
    {
        Reserve(ref _kept, plan.KeptFloats);
        if (!_passes.TryGetValue(tape, out var pass))
            _passes[tape] = pass = new CpuPass(tape, plan, team);
        return Pass = pass;
    }

    /// <summary>Frees its memory.</summary>
    public void Close() => _kept?.Dispose();

    /// <summary>Makes a buffer hold so many floats, which are of no meaning then.</summary>
    public static void Reserve(ref HostVector? buffer, long floats)
    {
        const int whole = NativeBuffer.Alignment / sizeof(float);
        if (buffer is not null && buffer.Length >= floats)
            return;
        buffer?.Dispose();
        buffer = null;                                                // in case the larger one cannot be had
        buffer = new HostVector((Math.Max(1, floats) + whole - 1) / whole * whole);
    }
}
