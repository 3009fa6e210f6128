using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// The two functions of libtorch_cuda that compute attention, as c_shim_cuda.h declares them, made of those that libtorch_cpu has: a fake,
/// no GPU's. It refuses what the real ones would not be given: dropout, a mask to look at, a scale, ends of sequences.
/// </summary>
internal static unsafe class FakeFlash
{
    private const string Forwards = "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu";

    private const long SeedNumber = 7, OffsetNumber = 11;

    private static nint Library => NativeTorch.FindLoaded("libtorch_cpu.so");

    /// <summary>Calls of the forward pass and of the backward pass since <see cref="Reset"/>.</summary>
    public static (int Forward, int Backward) Calls { get; private set; }

    /// <summary>"forward" or "backward" for the pass that libtorch refuses; null for none.</summary>
    public static string? Refuses { get; set; }

    /// <summary>What happens before a refusal; null for nothing.</summary>
    public static Action? BeforeRefusal { get; set; }

    /// <summary>True for a backward pass that gives other bits each second time.</summary>
    public static bool IsShaky { get; set; }

    /// <summary>What it was given wrongly, first of all.</summary>
    public static Exception? Wrong { get; private set; }

    /// <summary>For one device.</summary>
    public static FlashAttention New()
    {
        NativeTorch.Load();
        return new FlashAttention(
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, double, int, int, double*, nint*, nint*, nint*, nint*, long*, long*, nint*,
                nint*, nint*, int>)&Forward,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*,
                nint*, nint*, nint*, int>)&Backward);
    }

    /// <summary>As in the beginning.</summary>
    public static void Reset() => (Calls, Refuses, BeforeRefusal, IsShaky, Wrong) = ((0, 0), null, null, false, null);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Forward(
        nint q, nint k, nint v, double dropout, int isCausal, int showsWeights, double* scale, nint* y, nint* sums, nint* queryEnds,
        nint* keyEnds, long* mostQueries, long* mostKeys, nint* seed, nint* offset, nint* weights) => Guarded(() =>
        {
            Calls = (Calls.Forward + 1, Calls.Backward);
            if (IsRefused("forward"))
                return 1;
            Check(dropout == 0 && showsWeights == 0 && scale == null, "dropout, weights to look at, or a scale");
            using var scope = NewDisposeScope();
            var (queries, keys, values) = (Borrowed(q), Borrowed(k), Borrowed(v));
            Check(queries.stride(3) == 1 && keys.stride(3) == 1 && values.stride(3) == 1, "channels that do not lie side by side");
            Check(queries.shape[1] % keys.shape[1] == 0, "heads that are no groups");
            (*mostQueries, *mostKeys) = (queries.shape[2], keys.shape[2]);
            var error = ((delegate* unmanaged<nint, nint, nint, double, int, nint*, double*, nint*, nint*, int>)Export(Forwards))(
                q, Grouped(keys, queries).Handle, Grouped(values, queries).Handle, 0, isCausal, null, null, y, sums);
            (*queryEnds, *keyEnds, *weights) = (Handed(Dispatcher.Undefined()), Handed(Dispatcher.Undefined()), Handed(empty(0)));
            (*seed, *offset) = (Handed(tensor(SeedNumber)), Handed(tensor(OffsetNumber)));
            return error;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Backward(
        nint dy, nint q, nint k, nint v, nint y, nint sums, nint queryEnds, nint keyEnds, long mostQueries, long mostKeys, double dropout,
        int isCausal, nint seed, nint offset, double* scale, nint* dq, nint* dk, nint* dv) => Guarded(() =>
        {
            Calls = (Calls.Forward, Calls.Backward + 1);
            if (IsRefused("backward"))
                return 1;
            using var scope = NewDisposeScope();
            var (queries, keys, values) = (Borrowed(q), Borrowed(k), Borrowed(v));
            Check(dropout == 0 && scale == null && !IsDefined(queryEnds) && !IsDefined(keyEnds), "dropout, a scale, or ends of sequences");
            Check((mostQueries, mostKeys) == (queries.shape[2], keys.shape[2]), "other lengths");
            Check((Borrowed(seed).item<long>(), Borrowed(offset).item<long>()) == (SeedNumber, OffsetNumber), "not its own seed");
            Check(Borrowed(dy).dtype == queries.dtype && Borrowed(dy).shape.SequenceEqual(Borrowed(y).shape), "another kind of gradient");
            nint ofQueries, ofKeys, ofValues;
            var call = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, double, int, nint*, double*, nint*, nint*, nint*, int>)
                Export($"{Forwards}_backward");
            var error = call(
                dy, q, Grouped(keys, queries).Handle, Grouped(values, queries).Handle, y, sums, 0, isCausal, null, null, &ofQueries,
                &ofKeys, &ofValues);
            if (error != 0)
                return error;
            var gradient = Tensor.UnsafeCreateTensor(ofQueries);
            if (IsShaky && Calls.Backward % 2 == 0)
                gradient.neg_();
            *dq = Handed(gradient);
            *dk = Handed(Summed(Tensor.UnsafeCreateTensor(ofKeys), keys));
            *dv = Handed(Summed(Tensor.UnsafeCreateTensor(ofValues), values));
            return 0;
        });

    private static bool IsRefused(string pass)
    {
        if (Refuses != pass)
            return false;
        BeforeRefusal?.Invoke();
        return true;
    }

    // libtorch_cpu has no groups of heads.
    private static Tensor Grouped(Tensor ofKeys, Tensor queries) => ofKeys.repeat_interleave(queries.shape[1] / ofKeys.shape[1], 1);

    private static Tensor Summed(Tensor gradient, Tensor ofKeys)
    {
        var (heads, groups) = (ofKeys.shape[1], gradient.shape[1] / ofKeys.shape[1]);
        return gradient.reshape(gradient.shape[0], heads, groups, gradient.shape[2], -1).sum(2);
    }

    // A tensor of its own for a handle that stays the caller's, and the other way round.
    private static Tensor Borrowed(nint handle) => Tensor.UnsafeCreateTensor(Copy(handle));

    private static nint Handed(Tensor tensor) => Copy(tensor.Handle);

    private static nint Copy(nint handle)
    {
        nint copy;
        Check(((delegate* unmanaged<nint, nint*, int>)Export("aoti_torch_new_tensor_handle"))(handle, &copy) == 0, "no tensor");
        return copy;
    }

    private static bool IsDefined(nint handle)
    {
        byte isDefined;
        Check(((delegate* unmanaged<nint, byte*, int>)Export("aoti_torch_is_defined"))(handle, &isDefined) == 0, "no tensor");
        return isDefined != 0;
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);

    private static void Check(bool isRight, string what)
    {
        if (!isRight)
            throw new ArgumentException($"attention was given {what}");
    }

    // An exception that passed through libtorch would end the process.
    private static int Guarded(Func<int> call)
    {
        try
        {
            return call();
        }
        catch (Exception e)
        {
            Wrong ??= e;
            return 1;
        }
    }
}
