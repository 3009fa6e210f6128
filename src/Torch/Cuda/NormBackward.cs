namespace Elastic.Torch.Cuda;

/// <summary>What the backward pass of a norm reads and writes on a GPU. All is (Rows, Columns) but where it says otherwise.</summary>
internal unsafe ref struct NormBackward
{
    /// <summary>Gradient of what the norm made: of the type that it made.</summary>
    public required DeviceMemory Dy { get; init; }

    /// <summary>What the norm read: fp32, or of dy's type.</summary>
    public required DeviceMemory X { get; init; }

    /// <summary>(Columns).</summary>
    public required float* Gain { get; init; }

    /// <summary>(Rows), of the forward pass; null for a root mean square norm, which has none.</summary>
    public required float* Means { get; init; }

    /// <summary>(Rows), of the forward pass.</summary>
    public required float* Inverses { get; init; }

    public required long Rows { get; init; }

    public required int Columns { get; init; }

    /// <summary>Gradient of what the norm read, fp32 or of x's type; none where nobody wants it.</summary>
    public DeviceMemory Dx { get; init; }

    /// <summary>True where it is added to what is in fp32 dx; else it overwrites dx.</summary>
    public bool AddsToDx { get; init; }

    /// <summary>Gets the new dx, rounded to dy's type, besides: what a residual's branch receives. Or none.</summary>
    public DeviceMemory NarrowDx { get; init; }

    /// <summary>(Columns): the gain's gradient is added to it; null where it is frozen.</summary>
    public float* GainGradient { get; init; }

    /// <summary>(Columns): the bias's gradient is added to it; null where there is none.</summary>
    public float* BiasGradient { get; init; }

    /// <summary>
    /// (Columns): the sums of the columns of <see cref="NarrowDx"/> are added to it, or of dx where that is none: the gradient of the bias
    /// of the layer that made a residual's branch. Null where nobody asks.
    /// </summary>
    public float* BranchBiasGradient { get; init; }

    /// <summary>Memory for these three: 3 · Columns floats for each part.</summary>
    public float* Sums { get; init; }

    /// <summary>Rows of a part of these sums, and of a block: e.g. <see cref="DeviceKernels.PartRowsOf"/> the rows.</summary>
    public required int PartRows { get; init; }
}
