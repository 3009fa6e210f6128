namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>Where the matrices of D = alpha A B + beta C lie, in the order in which the library takes them.</summary>
/// <param name="A">Its first matrix.</param>
/// <param name="C">What is added; D where nothing is.</param>
internal readonly record struct ProductPointers(nint A, nint B, nint C, nint D, float Alpha, float Beta);

/// <summary>Where the matrices of a product lie: Result = Alpha Left Right + Beta Addend, and the bias for each row.</summary>
/// <param name="Addend">Lies as the result does; 0 where nothing is added.</param>
/// <param name="Bias">0 where there is none.</param>
internal readonly record struct ProductMemory(
    nint Left, nint Right, nint Result, float Alpha = 1, float Beta = 0, nint Addend = 0, nint Bias = 0);

/// <summary>A product of one shape on one GPU: what the library knows it by, and the algorithm.</summary>
internal sealed class ProductPlan : IDisposable
{
    private readonly CublasLtLibrary _library;
    private readonly ProductShape _shape;
    private readonly nint _handle, _description, _a, _b, _d, _workspace;
    private readonly long _workspaceBytes;
    private OpaqueAlgorithm _algorithm;

    /// <param name="handle">The library's, on this GPU.</param>
    /// <param name="workspaceBytes">Memory that an algorithm may use.</param>
    /// <param name="workspace">Where it lies; and where a bias is taken to lie as long as none is named, so that no address counts.</param>
    public ProductPlan(CublasLtLibrary library, nint handle, ProductShape shape, nint workspace, long workspaceBytes)
    {
        ArgumentNullException.ThrowIfNull(library);
        (_library, _handle, _shape, _workspace, _workspaceBytes) = (library, handle, shape, workspace, workspaceBytes);
        // What lies row by row reads as its transpose column by column, and the transpose of A B is that of B times that of A.
        _description = library.NewDescription(shape.TransposesRight, shape.TransposesLeft, shape.HasBias);
        if (shape.HasBias)
            library.SetBias(_description, workspace + DeviceProducts.AlignmentBytes);        // no better aligned than a real one
        var inner = shape.PartInner;
        _a = shape.TransposesRight
            ? Layout(shape.Inputs, inner, shape.Columns, shape.RightStride, inner)
            : Layout(shape.Inputs, shape.Columns, inner, shape.RightStride, inner * shape.RightStride);
        _b = shape.TransposesLeft
            ? Layout(shape.Inputs, shape.Rows, inner, shape.LeftStride, inner * shape.LeftStride)
            : Layout(shape.Inputs, inner, shape.Rows, shape.LeftStride, inner);
        _d = Layout(shape.Result, shape.Columns, shape.Rows, shape.ResultStride, shape.Rows * shape.ResultStride);

        nint Layout(ProductType type, long rows, long columns, long stride, long apart) =>
            library.NewLayout(type, rows, columns, stride, shape.Parts, apart);
    }

    /// <summary>
    /// The first of the library's proposals that sums in one order, is content with the memory, and can be made from its attributes alone;
    /// null where there is none.
    /// </summary>
    public AlgorithmAttributes? Choose(nint preference, int most)
    {
        foreach (var proposal in _library.Propose(_handle, _description, _a, _b, _d, preference, most, _shape.ToString()))
        {
            if (proposal.State != 0)
                continue;
            if (AttributesOf(proposal) is { SumsInOneOrder: true } attributes && Refusal(attributes) is null)
                return attributes;
        }
        return null;
    }

    // One that does not say what it is cannot be made again.
    private AlgorithmAttributes? AttributesOf(in HeuristicResult proposal)
    {
        try
        {
            return _library.AttributesOf(proposal.Algorithm);
        }
        catch (CublasLtException e) when (!e.MayBeLoss && !e.IsExhausted)
        {
            return null;
        }
    }

    /// <summary>Makes the algorithm from its attributes.</summary>
    /// <returns>Why the library refuses it; null where it computes this product from now on.</returns>
    /// <exception cref="CublasLtException">Memory is short, or the GPU failed: another time the answer may be another.</exception>
    public string? Refusal(in AlgorithmAttributes attributes)
    {
        var status = _library.Make(_handle, _shape.Inputs, _shape.Result, attributes, out var made);
        if (status != 0)
            return $"cublasLt does not make it: {Lasting(status)}";
        status = _library.CheckAlgorithm(_handle, _description, _a, _b, _d, made, out var bytes);
        if (status != 0)
            return $"cublasLt does not compute it: {Lasting(status)}";
        if (bytes > _workspaceBytes)
            return $"it needs {bytes} bytes of memory, and has {_workspaceBytes}";
        _algorithm = made;
        return null;
    }

    // What the library says of an algorithm. That it has no memory now, or that the GPU failed, says nothing of the algorithm.
    private string Lasting(int status)
    {
        var text = _library.TextOf(status);
        var error = new CublasLtException(status, $"cublasLt does not answer about an algorithm: {text}");
        return error.IsExhausted || error.MayBeLoss ? throw error : text;
    }

    /// <summary>Begins the product on a stream of the current context. Does not wait for it.</summary>
    public void Run(in ProductMemory at, nint stream)
    {
        if (_shape.HasBias)
            _library.SetBias(_description, at.Bias);
        var pointers = new ProductPointers(
            at.Right, at.Left, at.Addend == 0 ? at.Result : at.Addend, at.Result, at.Alpha, at.Beta);
        _library.Multiply(
            _handle, _description, pointers, (_a, _b, _d), _algorithm, (_workspace, _workspaceBytes), stream, _shape.ToString());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _library.FreeDescription(_description);
        _library.FreeLayout(_a);
        _library.FreeLayout(_b);
        _library.FreeLayout(_d);
    }
}
