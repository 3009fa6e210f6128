using System.Security.Cryptography;
using System.Text;

namespace Elastic.Torch.Cuda;

/// <summary>The source of our CUDA kernels, one text: what all share, then each file in the order of its name.</summary>
internal static class KernelSource
{
    private static readonly string[] Shared = ["arithmetic.cuh", "memory.cuh", "loops.cuh"];

    /// <summary>The text that is compiled.</summary>
    public static string Text { get; } = Read();

    /// <summary>The first digits of the text's SHA-256: part of what the bits of a GPU's results depend on.</summary>
    public static string Hash { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)))[..12];

    private static string Read()
    {
        var assembly = typeof(KernelSource).Assembly;
        var names = assembly.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        return string.Concat(Shared.Concat(names).Select(name =>
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
            return reader.ReadToEnd();
        }));
    }
}
