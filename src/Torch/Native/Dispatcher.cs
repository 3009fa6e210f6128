using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Elastic.Torch.Native;

/// <summary>
/// Calls ATen operators that TorchSharp has no binding for, through the stable C interface of libtorch 2.10
/// (torch/csrc/stable/c/shim.h). An operator takes one stack of 64-bit words: arguments in the order of its schema
/// (native_functions.yaml), results in their place. Autograd works through it as through any call.
/// </summary>
internal static unsafe partial class Dispatcher
{
    // The version of the interface that the words below are encoded for: major, minor, patch in the upper bytes.
    private const ulong StableVersion = (2UL << 56) | (10UL << 48);

    /// <summary>Calls <paramref name="name"/>, e.g. "aten::mm" with overload "" or "out".</summary>
    /// <param name="results">How many tensors the schema returns; the caller owns them.</param>
    /// <exception cref="InvalidOperationException">The operator is unknown or refused its arguments; libtorch says why on
    /// stderr.</exception>
    public static Tensor[] Call(string name, string overload, int results, params ReadOnlySpan<Argument> arguments)
    {
        var stack = stackalloc ulong[Math.Max(arguments.Length, results) + 1];
        for (var i = 0; i < arguments.Length; i++)
            stack[i] = arguments[i].Encode();
        if (torch_call_dispatcher(name, overload, stack, StableVersion) != 0)
            throw new InvalidOperationException($"{name}{(overload.Length > 0 ? "." + overload : "")} failed in libtorch");
        var returned = new Tensor[results];
        for (var i = 0; i < results; i++)
            returned[i] = Tensor.UnsafeCreateTensor((nint)stack[i]);
        return returned;
    }

    /// <summary>One argument of an operator. Encoding hands ownership of what it allocates to the call.</summary>
    public readonly struct Argument
    {
        private readonly Kind _kind;
        private readonly ulong _word;
        private readonly object? _value;

        private Argument(Kind kind, ulong word, object? value = null) => (_kind, _word, _value) = (kind, word, value);

        private enum Kind { Word, Tensor, Tensors, Integers, Booleans, Text, Some }

        /// <summary>None, for any optional parameter.</summary>
        public static Argument None => new(Kind.Word, 0);

        public static implicit operator Argument(Tensor value) => new(Kind.Tensor, 0, value);

        public static implicit operator Argument(Tensor[] value) => new(Kind.Tensors, 0, value);

        public static implicit operator Argument(long value) => new(Kind.Word, (ulong)value);

        public static implicit operator Argument(bool value) => new(Kind.Word, value ? 1UL : 0UL);

        public static implicit operator Argument(double value) => new(Kind.Word, BitConverter.DoubleToUInt64Bits(value));

        public static implicit operator Argument(long[] value) => new(Kind.Integers, 0, value);

        public static implicit operator Argument(bool[] value) => new(Kind.Booleans, 0, value);

        public static implicit operator Argument(string value) => new(Kind.Text, 0, value);

        /// <summary>A value for an optional parameter (<c>Tensor?</c>, <c>float?</c>): the interface takes it through a pointer.</summary>
        public static Argument Some(Argument value) => new(Kind.Some, 0, value);

        internal ulong Encode() => _kind switch
        {
            Kind.Word => _word,
            Kind.Tensor => Handle((Tensor)_value!),
            Kind.Tensors => List((Tensor[])_value!, Handle),
            Kind.Integers => List((long[])_value!, n => (ulong)n),
            Kind.Booleans => List((bool[])_value!, b => b ? 1UL : 0UL),
            Kind.Text => String((string)_value!),
            _ => Box(((Argument)_value!).Encode()),
        };

        // The call consumes its inputs, so it gets a handle of its own to the same tensor.
        private static ulong Handle(Tensor tensor)
        {
            nint handle;
            Check(aoti_torch_new_tensor_handle(tensor.Handle, &handle), "new_tensor_handle");
            GC.KeepAlive(tensor);
            return (ulong)handle;
        }

        private static ulong List<T>(T[] items, Func<T, ulong> encode)
        {
            nint list;
            Check(torch_new_list_reserve_size((nuint)items.Length, &list), "new_list");
            foreach (var item in items)
                Check(torch_list_push_back(list, encode(item)), "list_push_back");
            return (ulong)list;
        }

        private static ulong String(string text)
        {
            nint handle;
            Check(torch_new_string_handle(text, (nuint)text.Length, &handle), "new_string_handle");
            return (ulong)handle;
        }

        // Freed by the call with operator delete, which is free() where libtorch and the runtime share one C library.
        private static ulong Box(ulong word)
        {
            var box = (ulong*)NativeMemory.Alloc(sizeof(ulong));
            *box = word;
            return (ulong)box;
        }
    }

    /// <summary>What stands for a tensor that is not there, where a function of libtorch's takes one all the same.</summary>
    public static Tensor Undefined()
    {
        nint handle;
        Check(aoti_torch_new_uninitialized_tensor(&handle), "new_uninitialized_tensor");
        return Tensor.UnsafeCreateTensor(handle);
    }

    /// <summary>The address of a tensor's elements; without a span's limit of 2 GiB.</summary>
    public static float* Floats(Tensor tensor) => (float*)Data(tensor);

    /// <summary>The address of a tensor's elements of any type; without a span's limit of 2 GiB.</summary>
    public static void* Data(Tensor tensor)
    {
        void* data;
        Check(torch_get_mutable_data_ptr(tensor.Handle, &data), "get_mutable_data_ptr");
        GC.KeepAlive(tensor);
        return data;
    }

    private static void Check(int error, string call)
    {
        if (error != 0)
            throw new InvalidOperationException($"{call} failed in libtorch");
    }

    [LibraryImport("torch_cpu", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int torch_call_dispatcher(string name, string overload, ulong* stack, ulong version);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_new_tensor_handle(nint tensor, nint* handle);

    [LibraryImport("torch_cpu")]
    private static partial int aoti_torch_new_uninitialized_tensor(nint* handle);

    [LibraryImport("torch_cpu")]
    private static partial int torch_new_list_reserve_size(nuint size, nint* list);

    [LibraryImport("torch_cpu")]
    private static partial int torch_list_push_back(nint list, ulong item);

    [LibraryImport("torch_cpu", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int torch_new_string_handle(string text, nuint length, nint* handle);

    [LibraryImport("torch_cpu")]
    private static partial int torch_get_mutable_data_ptr(nint tensor, void** data);
}
