using System.Security.Cryptography;
using System.Text;

namespace Elastic.Torch.Cuda;

/// <summary>The source of our CUDA kernels: what all share, then each file in the order of its name.</summary>
internal static class KernelSource
{
    private static readonly string[] Shared = ["arithmetic.cuh", "memory.cuh", "loops.cuh"];

    private static readonly string[] Names =
    [
        .. typeof(KernelSource).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>All of it, one text.</summary>
    public static string Text { get; } = Read(Names);

    /// <summary>
    /// The texts that are compiled, side by side: each has what all share. A file that needs another one has its name and a word more, as
    /// dropout_mask.cu needs dropout.cu, and is in one text with it.
    /// </summary>
    public static IReadOnlyList<string> Units { get; } =
        [.. Names.GroupBy(name => name[..name.IndexOfAny(['.', '_'])]).Select(files => Read(files))];

    /// <summary>The first digits of the text's SHA-256: part of what the bits of a GPU's results depend on.</summary>
    public static string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)))[..12];

    private static string Read(IEnumerable<string> names) => string.Concat(Shared.Concat(names).Select(name =>
    {
        using var reader = new StreamReader(typeof(KernelSource).Assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd();
    }));
}
