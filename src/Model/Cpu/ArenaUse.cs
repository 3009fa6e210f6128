using System.Runtime.InteropServices;

namespace Elastic.Model.Cpu;

/// <summary>What a place in the block of memory of a pass is for.</summary>
internal enum ArenaPart
{
    /// <summary>What operations make and save.</summary>
    Activations,

    /// <summary>Gradients of what they make.</summary>
    Gradients,

    /// <summary>The head's logits, and sums of its weight's gradient where the rows come in pieces.</summary>
    Logits,

    /// <summary>What an operation works with while it runs.</summary>
    Scratch,
}

/// <summary>How much of the block is in use, and for what. All in floats.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ArenaUse(long Activations, long Gradients, long Logits, long Scratch, long Gaps)
{
    /// <summary>All of it.</summary>
    public long Floats => Activations + Gradients + Logits + Scratch + Gaps;

    /// <summary>The sum of two.</summary>
    public ArenaUse Plus(ArenaUse other) => new(
        Activations + other.Activations, Gradients + other.Gradients, Logits + other.Logits, Scratch + other.Scratch, Gaps + other.Gaps);

    /// <summary>With so much more of one part.</summary>
    public ArenaUse Plus(ArenaPart part, long floats) => part switch
    {
        ArenaPart.Activations => this with { Activations = Activations + floats },
        ArenaPart.Gradients => this with { Gradients = Gradients + floats },
        ArenaPart.Logits => this with { Logits = Logits + floats },
        _ => this with { Scratch = Scratch + floats },
    };
}
