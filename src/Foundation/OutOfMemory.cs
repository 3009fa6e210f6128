using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>Recognises a failed allocation, of .NET or of a native library.</summary>
public static class OutOfMemory
{
    // libtorch's words for a CPU, for a GPU, for a library of a GPU's products, and for a size that no machine has.
    private static readonly string[] NativeWords =
    [
        "can't allocate memory", "out of memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",
        "storage size calculation overflow",
    ];

    /// <summary>A sentence that says what to do; null where <paramref name="error"/> is something else.</summary>
    public static string? Describe(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        var isMemory = error is OutOfMemoryException
            || (error is ExternalException && NativeWords.Any(w => error.Message.Contains(w, StringComparison.OrdinalIgnoreCase)));
        return isMemory
            ? $"there is not enough memory ({OneLine.Of(error.Message.Split('\n')[0].TrimEnd('.'), 160)}): "
              + "lower batch.micro or corpus.sample-tokens, use fewer devices (node.devices), or stop other programs"
            : null;
    }

    /// <summary>
    /// What a person reads of a failure: what to do where memory is short, else its message. Of one that is not ours it is the first line:
    /// libtorch's go on with a stack of C++.
    /// </summary>
    public static string Sentence(Exception error) =>
        Describe(error) ?? (error is ElasticException ? error.Message : error.Message.Split('\n')[0]);
}
