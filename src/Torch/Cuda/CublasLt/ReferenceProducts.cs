using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Model.Training;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// Products of usual sizes, whose algorithms stand for how a GPU's library chooses: two GPUs that differ in one of them are not taken for
/// one arithmetic, though their versions are the same.
/// </summary>
internal static class ReferenceProducts
{
    private static readonly ProductType[] Types = [ProductType.Fp32, ProductType.Bf16, ProductType.Fp16];
    private static readonly ProductType[] TypesOfLogits = [ProductType.Fp32, ProductType.Bf16];

    // Of models from a few million to some billion parameters; widths of a layer's other side are multiples of its width.
    private static readonly int[] Widths = [256, 768, 2048, 4096], Times = [1, 3, 4], Rows = [1024, 4096, 16384];
    private static readonly int[] WidthsOfHeads = [768, 2048], RowsOfHeads = [4096, 16384], Vocabularies = [32000, 50257];

    /// <summary>The shapes, in order: those of forward passes, gradients of inputs and of weights; of linear layers and of heads.</summary>
    public static IReadOnlyList<ProductShape> Shapes { get; } = [.. Layers(), .. Heads()];

    /// <summary>The first digits of the SHA-256 of the algorithms' attributes: part of what a GPU's bits depend on.</summary>
    public static string DigestOf(DeviceProducts products)
    {
        ArgumentNullException.ThrowIfNull(products);
        var lines = Shapes.Select(shape => $"{shape}: {DeviceBackends.Ask(() => products.Choose(shape))?.ToString() ?? "none"}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))))[..12];
    }

    /// <summary>E.g. "products by cublasLt 120803 on GPU 0, choices 0123456789ab, 948 of 948 shapes".</summary>
    public static string Describe(DeviceProducts products)
    {
        ArgumentNullException.ThrowIfNull(products);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"products by cublasLt {products.Version} on GPU {products.Gpu}, choices {DigestOf(products)}, " +
            $"{Shapes.Count(shape => DeviceBackends.Ask(() => products.Choose(shape)) is not null)} of {Shapes.Count} shapes");
    }

    private static IEnumerable<ProductShape> Layers() =>
        (from inputs in Types
         from width in Widths
         from rows in Rows
         from times in Times
         from sizes in new[] { (From: width, To: times * width), (From: times * width, To: width) }
         from shape in Of(inputs, rows, sizes.From, sizes.To)
         select shape).Distinct();

    // Forwards, with a bias and without, and backwards, of weights that are stored (in, out) and (out, in).
    private static IEnumerable<ProductShape> Of(ProductType inputs, int rows, int from, int to)
    {
        ProductShape Forward(bool transposesRight) =>
            ProductShape.Dense(inputs, inputs, false, transposesRight, rows, to, from);
        return
        [
            Forward(false), Forward(false) with { HasBias = true }, Forward(true), Forward(true) with { HasBias = true },
            ProductShape.OfWeight(inputs, from, to, rows),
        ];
    }

    private static IEnumerable<ProductShape> Heads() =>
        from inputs in TypesOfLogits
        from width in WidthsOfHeads
        from rows in RowsOfHeads
        from vocabulary in Vocabularies
        from shape in ProductShape.OfHead(inputs, rows, vocabulary, width)
        select shape;
}
