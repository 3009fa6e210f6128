namespace Elastic.Torch.Cuda;

/// <summary>
/// Where a kernel that makes a matrix, (Rows, Columns), adds the sums of its columns: the gradient of the bias of a linear layer, where the
/// matrix is that of the layer's output.
/// </summary>
internal readonly unsafe struct ColumnTarget
{
    /// <summary>(Columns): what is summed is added to it.</summary>
    public required float* Target { get; init; }

    /// <summary>Memory: Columns floats for each part.</summary>
    public required float* Sums { get; init; }

    public required long Rows { get; init; }

    /// <summary>Rows of a part of the sums: e.g. <see cref="DeviceKernels.PartRowsOf"/> the rows.</summary>
    public required int PartRows { get; init; }

    public required int Columns { get; init; }
}
