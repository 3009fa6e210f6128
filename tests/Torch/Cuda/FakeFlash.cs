using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Elastic.Torch.Cuda;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// The two functions of libtorch_cuda that compute attention, as c_shim_cuda.h declares them, made of those that libtorch_cpu has, sequence
/// by sequence: a fake, no GPU's. It refuses what the real ones would not be given (dropout, a mask to look at, a scale), ends that are
/// none, and a backward pass of another rule than that of its forward pass.
/// </summary>
internal static unsafe class FakeFlash
{
    private const string Forwards = "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu";

    private const long UnusedNumber = 11;

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
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, nint*, nint*, long, long, double, int, int, double*, long*, long*, nint*,
                nint*, nint*, nint*, nint*, nint*, nint*, int>)&Forward,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*,
                long*, long*, nint*, nint*, nint*, int>)&Backward);
    }

    /// <summary>As in the beginning.</summary>
    public static void Reset() => (Calls, Refuses, BeforeRefusal, IsShaky, Wrong) = ((0, 0), null, null, false, null);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Forward(
        nint q, nint k, nint v, nint* queryEnds, nint* keyEnds, long mostQueries, long mostKeys, double dropout, int isCausal,
        int showsWeights, double* scale, long* left, long* right, nint* usedKeys, nint* slopes, nint* y, nint* sums, nint* random,
        nint* unused, nint* weights) => Guarded(() =>
        {
            Calls = (Calls.Forward + 1, Calls.Backward);
            if (IsRefused("forward"))
                return 1;
            Check(dropout == 0 && showsWeights == 0 && scale == null, "dropout, weights to look at, or a scale");
            Check(usedKeys == null && slopes == null, "a number of used keys, or slopes");
            using var scope = NewDisposeScope();
            var (queries, keys, values) = (Borrowed(q), Borrowed(k), Borrowed(v));
            foreach (var x in new[] { queries, keys, values })
                Check(x.stride(-1) == 1, "channels that do not lie side by side");
            Check(queries.shape[^2] % keys.shape[^2] == 0, "heads that are no groups");
            Check((queryEnds == null) == (keyEnds == null), "ends of the one, and not of the other");
            var hasEnds = queryEnds != null;
            var pieces = FlashPiece.All(
                queries, keys, hasEnds ? Borrowed(*queryEnds) : null, hasEnds ? Borrowed(*keyEnds) : null, mostQueries, mostKeys);
            var rule = new[] { isCausal, Window(left, right, isCausal), mostQueries, mostKeys };
            var (made, logs) = (empty_like(Flat(queries)), empty([Flat(queries).shape[0], queries.shape[^2]], float32));
            foreach (var piece in pieces.Where(p => p.Queries > 0))
            {
                var hidden = piece.Hidden(isCausal != 0, rule[1]) is { } mask ? mask.Handle : 0;
                nint ofPiece, logsOfPiece;
                var error = ((delegate* unmanaged<nint, nint, nint, double, int, nint*, double*, nint*, nint*, int>)Export(Forwards))(
                    piece.Queried(Flat(queries)).Handle, Grouped(piece.Keyed(Flat(keys)), queries).Handle,
                    Grouped(piece.Keyed(Flat(values)), queries).Handle, 0, 0, hidden == 0 ? null : &hidden, null, &ofPiece, &logsOfPiece);
                if (error != 0)
                    return error;
                piece.Queried(made).copy_(Tensor.UnsafeCreateTensor(ofPiece));
                piece.Queried(logs.unsqueeze(2)).copy_(Tensor.UnsafeCreateTensor(logsOfPiece).unsqueeze(3));
            }
            (*y, *sums, *weights) = (Handed(made.view(queries.shape)), Handed(logs), Handed(empty(0)));
            (*random, *unused) = (Handed(tensor(rule)), Handed(tensor(UnusedNumber)));
            return 0;
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Backward(
        nint dy, nint q, nint k, nint v, nint y, nint sums, nint queryEnds, nint keyEnds, long mostQueries, long mostKeys, double dropout,
        int isCausal, nint random, nint unused, double* scale, long* left, long* right, nint* dq, nint* dk, nint* dv) => Guarded(() =>
        {
            Calls = (Calls.Forward, Calls.Backward + 1);
            if (IsRefused("backward"))
                return 1;
            Check(dropout == 0 && scale == null, "dropout, or a scale");
            using var scope = NewDisposeScope();
            var (queries, keys, values, logs) = (Borrowed(q), Borrowed(k), Borrowed(v), Borrowed(sums));
            Check(IsDefined(queryEnds) == IsDefined(keyEnds), "ends of the one, and not of the other");
            var hasEnds = IsDefined(queryEnds);
            var pieces = FlashPiece.All(
                queries, keys, hasEnds ? Borrowed(queryEnds) : null, hasEnds ? Borrowed(keyEnds) : null, mostQueries, mostKeys);
            var rule = new[] { isCausal, Window(left, right, isCausal), mostQueries, mostKeys };
            Check(Borrowed(random).data<long>().SequenceEqual(rule), "another rule than forwards");
            Check(Borrowed(unused).item<long>() == UnusedNumber, "not its own numbers");
            var (gradient, result) = (Borrowed(dy), Borrowed(y));
            Check(gradient.dtype == queries.dtype && gradient.shape.SequenceEqual(result.shape), "another kind of gradient");
            var made = (Q: empty_like(Flat(queries)), K: zeros_like(Flat(keys)), V: zeros_like(Flat(values)));
            foreach (var piece in pieces.Where(p => p.Queries > 0))
            {
                var hidden = piece.Hidden(isCausal != 0, rule[1]) is { } mask ? mask.Handle : 0;
                nint ofQueries, ofKeys, ofValues;
                var call = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, double, int, nint*, double*, nint*, nint*, nint*, int>)
                    Export($"{Forwards}_backward");
                var error = call(
                    piece.Queried(Flat(gradient)).Handle, piece.Queried(Flat(queries)).Handle,
                    Grouped(piece.Keyed(Flat(keys)), queries).Handle, Grouped(piece.Keyed(Flat(values)), queries).Handle,
                    piece.Queried(Flat(result)).Handle, piece.Queried(logs.unsqueeze(2)).squeeze(3).Handle, 0, 0,
                    hidden == 0 ? null : &hidden, null, &ofQueries, &ofKeys, &ofValues);
                if (error != 0)
                    return error;
                piece.Queried(made.Q).copy_(Tensor.UnsafeCreateTensor(ofQueries));
                piece.Keyed(made.K).copy_(Summed(Tensor.UnsafeCreateTensor(ofKeys), keys));
                piece.Keyed(made.V).copy_(Summed(Tensor.UnsafeCreateTensor(ofValues), values));
            }
            if (IsShaky && Calls.Backward % 2 == 0)
                made.Q.neg_();
            (*dq, *dk, *dv) = (Handed(made.Q.view(queries.shape)), Handed(made.K.view(keys.shape)), Handed(made.V.view(values.shape)));
            return 0;
        });

    private static bool IsRefused(string pass)
    {
        if (Refuses != pass)
            return false;
        BeforeRefusal?.Invoke();
        return true;
    }

    // How many places before its own a query sees; -1 for all.
    private static long Window(long* left, long* right, int isCausal)
    {
        Check((left == null) == (right == null), "one side of a window");
        Check(left == null || (isCausal != 0 && *left >= 0 && *right == 0), "a window that is not causal");
        return left == null ? -1 : *left;
    }

    // (B, T, H, D) or (B T, H, D) -> (B T, H, D)
    private static Tensor Flat(Tensor x) => x.reshape(-1, x.shape[^2], x.shape[^1]);

    // libtorch_cpu has no groups of heads.
    private static Tensor Grouped(Tensor ofKeys, Tensor queries) => ofKeys.repeat_interleave(queries.shape[^2] / ofKeys.shape[1], 1);

    private static Tensor Summed(Tensor gradient, Tensor ofKeys)
    {
        var (heads, groups) = (ofKeys.shape[^2], gradient.shape[1] / ofKeys.shape[^2]);
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

    /// <summary>Says what attention was given wrongly.</summary>
    public static void Check(bool isRight, string what)
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
