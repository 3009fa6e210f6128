using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>cublasLtMatmulAlgo_t of cublasLt.h: opaque.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct OpaqueAlgorithm
{
    private fixed ulong _words[8];
}

/// <summary>cublasLtMatmulHeuristicResult_t of cublasLt.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HeuristicResult
{
    public OpaqueAlgorithm Algorithm;
    public nuint WorkspaceBytes;
    public int State;
    public float Waves;
    private fixed int _reserved[4];
}

/// <summary>
/// The part of cublasLt's interface (cublasLt.h) that Elastic calls. All names are looked up when it is loaded; a missing one is an error
/// where it is called.
/// </summary>
internal sealed unsafe class CublasLtLibrary
{
    // Of cublasLt.h and cublas_api.h: CUBLAS_COMPUTE_32F, without TF32; CUDA_R_32F; cublasLtMatmulDescAttributes_t;
    // cublasLtMatmulPreferenceAttributes_t; cublasLtMatrixLayoutAttribute_t; cublasStatus_t. Attributes of algorithms are numbered from 0
    // in the order of AlgorithmAttributes.
    private const int ComputeFp32 = 68, ScaleFp32 = 0, ArchitectureMismatch = 8, NotSupported = 15;
    private const int TransposesA = 3, TransposesB = 4, Epilogue = 7, BiasPointer = 8, EpilogueBias = 4;
    private const int BatchCount = 5, BatchOffset = 6;
    private const int MaxWorkspaceBytes = 1, ReductionMask = 3, FirstAlignment = 5, LastAlignment = 8;

    private static readonly string[] Names =
    [
        "cublasLtGetVersion", "cublasLtGetStatusString", "cublasLtCreate", "cublasLtDestroy", "cublasLtMatmulDescCreate",
        "cublasLtMatmulDescSetAttribute", "cublasLtMatmulDescDestroy", "cublasLtMatrixLayoutCreate", "cublasLtMatrixLayoutDestroy",
        "cublasLtMatrixLayoutSetAttribute",
        "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute", "cublasLtMatmulPreferenceDestroy",
        "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmulAlgoConfigGetAttribute", "cublasLtMatmulAlgoConfigSetAttribute",
        "cublasLtMatmulAlgoInit", "cublasLtMatmulAlgoCheck", "cublasLtMatmul",
    ];

    private readonly NativeFunctions _functions;

    /// <param name="handle">Handle of the loaded library.</param>
    public CublasLtLibrary(nint handle) => _functions = new NativeFunctions("cublasLt", handle, Names);

    /// <summary>The one that libtorch has loaded and computes with: other versions may be installed beside it.</summary>
    /// <exception cref="ElasticException">It has loaded none.</exception>
    public static CublasLtLibrary Loaded() =>
        CudaLibraries.CublasLt.Select(NativeTorch.FindLoaded).FirstOrDefault(h => h != 0) is var handle && handle != 0
            ? new CublasLtLibrary(handle)
            : throw new ElasticException(
                $"libtorch has loaded none of {string.Join(", ", CudaLibraries.CublasLt)}: this CUDA is older or newer than Elastic knows");

    /// <summary>As cublasLt writes it, e.g. 120803 for 12.8.3.</summary>
    public long Version => (long)((delegate* unmanaged<nuint>)_functions["cublasLtGetVersion"])();

    /// <summary>Functions that it lacks.</summary>
    public IReadOnlyList<string> Missing => _functions.Missing;

    /// <summary>A handle on the current context's GPU; kept until the process ends.</summary>
    public nint NewHandle(string where)
    {
        nint handle;
        Check(((delegate* unmanaged<nint*, int>)_functions["cublasLtCreate"])(&handle), $"cublasLtCreate {where}");
        return handle;
    }

    /// <summary>Frees a handle after a failure, which is what counts: the library's answer is not looked at.</summary>
    public void DropHandle(nint handle) => _ = ((delegate* unmanaged<nint, int>)_functions["cublasLtDestroy"])(handle);

    /// <summary>
    /// What a product with numbers in fp32 is: op(A) op(B), accumulated in fp32. Both operations are of matrices that lie column by column,
    /// as all do that this library reads.
    /// </summary>
    /// <param name="hasBias">Whether a bias is added to each column: <see cref="SetBias"/> says where it lies.</param>
    public nint NewDescription(bool transposesA, bool transposesB, bool hasBias)
    {
        nint description;
        Check(
            ((delegate* unmanaged<nint*, int, int, int>)_functions["cublasLtMatmulDescCreate"])(&description, ComputeFp32, ScaleFp32),
            "cublasLtMatmulDescCreate");
        Describe(description, TransposesA, transposesA ? 1 : 0);
        Describe(description, TransposesB, transposesB ? 1 : 0);
        if (hasBias)
            Describe(description, Epilogue, EpilogueBias);
        return description;
    }

    /// <summary>Where the bias of the next product of this description lies.</summary>
    public void SetBias(nint description, nint bias) => Describe(description, BiasPointer, bias);

    /// <summary>Matrices that lie column by column.</summary>
    /// <param name="stride">Elements from a column to the next.</param>
    /// <param name="count">How many there are, each of which makes a product of its own.</param>
    /// <param name="apart">Elements from one to the next.</param>
    public nint NewLayout(ProductType type, long rows, long columns, long stride, int count, long apart)
    {
        nint layout;
        Check(
            ((delegate* unmanaged<nint*, int, ulong, ulong, long, int>)_functions["cublasLtMatrixLayoutCreate"])(
                &layout, (int)type, (ulong)rows, (ulong)columns, stride),
            "cublasLtMatrixLayoutCreate");
        if (count == 1)
            return layout;
        var set = (delegate* unmanaged<nint, int, void*, nuint, int>)_functions["cublasLtMatrixLayoutSetAttribute"];
        var status = set(layout, BatchCount, &count, sizeof(int));
        status = status != 0 ? status : set(layout, BatchOffset, &apart, sizeof(long));
        if (status != 0)
            FreeLayout(layout);
        Check(status, "cublasLtMatrixLayoutSetAttribute");
        return layout;
    }

    /// <summary>What a choice keeps to: so much memory for its own use, no sums of parts, matrices that begin at such multiples.</summary>
    public nint NewPreference(long workspaceBytes, uint alignmentBytes)
    {
        nint preference;
        Check(
            ((delegate* unmanaged<nint*, int>)_functions["cublasLtMatmulPreferenceCreate"])(&preference), "cublasLtMatmulPreferenceCreate");
        var set = (delegate* unmanaged<nint, int, void*, nuint, int>)_functions["cublasLtMatmulPreferenceSetAttribute"];
        var (bytes, none) = ((ulong)workspaceBytes, 0u);
        var status = set(preference, MaxWorkspaceBytes, &bytes, sizeof(ulong));
        status = status != 0 ? status : set(preference, ReductionMask, &none, sizeof(uint));
        for (var matrix = FirstAlignment; matrix <= LastAlignment; matrix++)
            status = status != 0 ? status : set(preference, matrix, &alignmentBytes, sizeof(uint));
        if (status != 0)
            FreePreference(preference);
        Check(status, "cublasLtMatmulPreferenceSetAttribute");
        return preference;
    }

    /// <summary>Frees what one of the three functions above has made.</summary>
    public void FreeDescription(nint description) => Free("cublasLtMatmulDescDestroy", description);

    /// <inheritdoc cref="FreeDescription"/>
    public void FreeLayout(nint layout) => Free("cublasLtMatrixLayoutDestroy", layout);

    /// <inheritdoc cref="FreeDescription"/>
    public void FreePreference(nint preference) => Free("cublasLtMatmulPreferenceDestroy", preference);

    /// <summary>The library's proposals for a product, the one first that it takes for the fastest.</summary>
    /// <param name="d">The layout of what is added, and of the result.</param>
    public HeuristicResult[] Propose(nint handle, nint description, nint a, nint b, nint d, nint preference, int most, string what)
    {
        var results = new HeuristicResult[most];
        int count;
        fixed (HeuristicResult* into = results)
        {
            var status = ((delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, HeuristicResult*, int*, int>)
                _functions["cublasLtMatmulAlgoGetHeuristic"])(handle, description, a, b, d, d, preference, most, into, &count);
            // An older GPU has no products of bf16.
            if (status is NotSupported or ArchitectureMismatch)
                return [];
            Check(status, $"cublasLtMatmulAlgoGetHeuristic of {what}");
        }
        return results[..Math.Min(count, most)];
    }

    /// <summary>What an algorithm is.</summary>
    public AlgorithmAttributes AttributesOf(in OpaqueAlgorithm algorithm)
    {
        fixed (OpaqueAlgorithm* of = &algorithm)
        {
            return new AlgorithmAttributes(
                Get<int>(of, 0), Get<uint>(of, 1), Get<uint>(of, 2), Get<uint>(of, 3), Get<uint>(of, 4), Get<uint>(of, 5), Get<uint>(of, 6),
                Get<ushort>(of, 7), Get<ushort>(of, 8));
        }
    }

    /// <summary>Makes an algorithm again from what it is.</summary>
    /// <returns>A status: 0 where it is made, else why the library refuses it.</returns>
    public int Make(nint handle, ProductType inputs, ProductType result, in AlgorithmAttributes attributes, out OpaqueAlgorithm algorithm)
    {
        OpaqueAlgorithm made = default;
        var status = ((delegate* unmanaged<nint, int, int, int, int, int, int, int, OpaqueAlgorithm*, int>)
            _functions["cublasLtMatmulAlgoInit"])(
                handle, ComputeFp32, ScaleFp32, (int)inputs, (int)inputs, (int)result, (int)result, attributes.Id, &made);
        status = status != 0 ? status : Set(&made, 1, attributes.Tile);
        status = status != 0 ? status : Set(&made, 2, attributes.SplitK);
        status = status != 0 ? status : Set(&made, 3, attributes.Reduction);
        status = status != 0 ? status : Set(&made, 4, attributes.Swizzling);
        status = status != 0 ? status : Set(&made, 5, attributes.CustomOption);
        status = status != 0 ? status : Set(&made, 6, attributes.Stages);
        status = status != 0 ? status : Set(&made, 7, attributes.InnerShape);
        status = status != 0 ? status : Set(&made, 8, attributes.ClusterShape);
        algorithm = made;
        return status;
    }

    /// <summary>Whether an algorithm can compute a product on this GPU, and with how much memory.</summary>
    /// <returns>A status: 0 where it can.</returns>
    public int CheckAlgorithm(
        nint handle, nint description, nint a, nint b, nint d, in OpaqueAlgorithm algorithm, out long workspaceBytes)
    {
        HeuristicResult result = default;
        int status;
        fixed (OpaqueAlgorithm* of = &algorithm)
        {
            status = ((delegate* unmanaged<nint, nint, nint, nint, nint, nint, OpaqueAlgorithm*, HeuristicResult*, int>)
                _functions["cublasLtMatmulAlgoCheck"])(handle, description, a, b, d, d, of, &result);
        }
        workspaceBytes = (long)result.WorkspaceBytes;
        return status != 0 ? status : result.State;
    }

    /// <summary>Begins D = alpha op(A) op(B) + beta C on a stream of the current context. Does not wait for it.</summary>
    public void Multiply(
        nint handle, nint description, in ProductPointers at, (nint A, nint B, nint D) layouts, in OpaqueAlgorithm algorithm,
        (nint At, long Bytes) workspace, nint stream, string what)
    {
        var (alpha, beta) = (at.Alpha, at.Beta);
        fixed (OpaqueAlgorithm* of = &algorithm)
        {
            var multiply = (delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, float*, nint, nint, nint, nint,
                OpaqueAlgorithm*, nint, nuint, nint, int>)_functions["cublasLtMatmul"];
            Check(
                multiply(
                    handle, description, &alpha, at.A, layouts.A, at.B, layouts.B, &beta, at.C, layouts.D, at.D, layouts.D, of,
                    workspace.At, (nuint)workspace.Bytes, stream),
                $"cublasLtMatmul of {what}");
        }
    }

    /// <summary>E.g. "status 15 (the function is not supported)".</summary>
    public string TextOf(int status) => $"status {status}" + (_functions.Has("cublasLtGetStatusString")
        && Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<int, byte*>)_functions["cublasLtGetStatusString"])(status)) is { } text
            ? $" ({text})"
            : "");

    private T Get<T>(OpaqueAlgorithm* algorithm, int attribute)
        where T : unmanaged
    {
        T value;
        nuint written;
        Check(
            ((delegate* unmanaged<OpaqueAlgorithm*, int, void*, nuint, nuint*, int>)_functions["cublasLtMatmulAlgoConfigGetAttribute"])(
                algorithm, attribute, &value, (nuint)sizeof(T), &written),
            $"cublasLtMatmulAlgoConfigGetAttribute {attribute}");
        return value;
    }

    private int Set<T>(OpaqueAlgorithm* algorithm, int attribute, T value)
        where T : unmanaged
        => ((delegate* unmanaged<OpaqueAlgorithm*, int, void*, nuint, int>)_functions["cublasLtMatmulAlgoConfigSetAttribute"])(
            algorithm, attribute, &value, (nuint)sizeof(T));

    private void Describe<T>(nint description, int attribute, T value)
        where T : unmanaged
        => Check(
            ((delegate* unmanaged<nint, int, void*, nuint, int>)_functions["cublasLtMatmulDescSetAttribute"])(
                description, attribute, &value, (nuint)sizeof(T)),
            $"cublasLtMatmulDescSetAttribute {attribute}");

    private void Free(string function, nint what) => Check(((delegate* unmanaged<nint, int>)_functions[function])(what), function);

    private void Check(int status, string call)
    {
        if (status != 0)
            throw new CublasLtException(status, $"cublasLt answers {call} with {TextOf(status)}");
    }
}
