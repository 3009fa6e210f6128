using Elastic.Kernels;

namespace Elastic.Torch.Cuda;

// Norms and their gradients: narrow and wide rows, parts of several tiles, and rows whose sums go through memory.
internal sealed unsafe partial class KernelCheck
{
    private void CompareNorms(ElementType type)
    {
        Operand x = new(_x, type), y = new(_zeros, type), gain = new(_gain, ElementType.Fp32),
            inverses = new(_y[..Rows], ElementType.Fp32);
        CompareLayerNorms(type, Rows, Columns);
        Compare(
            "root mean square norm", [x, y, gain, inverses],
            p => kernels.RmsNormForward(
                p[1], null, p[0], DeviceMemory.None, p[2].Floats, p[3].Floats, Rows, Columns, 1e-5f),
            p => RmsNorm.Forward(p[1], Columns, p[0], Columns, p[2], p[3], Rows, Columns, 1e-5f));
        CompareNormGradients(ElementType.Fp32, type, ElementType.Fp32, Rows, Columns);
        // As wide as GPT-2's.
        CompareLayerNorms(type, 24, 768);
        CompareNormGradients(ElementType.Fp32, type, ElementType.Fp32, 24, 768);
        // Parts of more rows than a tile has room for.
        CompareNormGradients(ElementType.Fp32, type, ElementType.Fp32, 256, 768);
        CompareLongNorms(type);
    }

    private void CompareLayerNorms(ElementType type, int rows, int columns)
    {
        var count = Math.Max(rows * columns, Count);
        Operand branch = new(Of(_x, count), type), wide = new(Of(_y, count), ElementType.Fp32),
            zeros = new(Of(_zeros, count), ElementType.Fp32), y = new(Of(_zeros, count), type),
            gain = new(_z[..(2 * columns)], ElementType.Fp32), means = new(_x[..rows], ElementType.Fp32),
            inverses = new(_y[..rows], ElementType.Fp32);
        Compare(
            "layer norm", [wide, branch, zeros, y, gain, means, inverses],
            p => kernels.LayerNormForward(
                p[3], p[2].Floats, p[0], p[1], p[4].Floats, p[4].Floats + columns, p[5].Floats, p[6].Floats, rows, columns, 1e-5f),
            p =>
            {
                Ranges.Add(p[2], p[0], p[1], rows * columns);
                LayerNorm.Forward(p[3], columns, p[2], columns, p[4], p[4] + columns, p[5], p[6], rows, columns, 1e-5f);
            });
    }

    // Rows for which a block has more threads than the row has fours; and rows of more columns than the threads of a block keep sums of.
    private void CompareLongNorms(ElementType type)
    {
        CompareRmsNorms(type, LongRows, Count / LongRows);
        CompareNormGradients(ElementType.Fp32, type, type, LongRows, Count / LongRows);
        CompareRmsNorms(type, LongRows, LongColumns);
        CompareLayerNorms(type, LongRows, LongColumns);
        CompareNormGradients(ElementType.Fp32, type, ElementType.Fp32, LongRows, LongColumns);
    }

    private void CompareRmsNorms(ElementType type, int rows, int columns)
    {
        var count = Math.Max(rows * columns, Count);
        Compare(
            "root mean square norm of long rows",
            [
                new(Of(_x, count), type), new(Of(_zeros, count), type), new(_z[..columns], ElementType.Fp32),
                new(_y[..rows], ElementType.Fp32),
            ],
            p => kernels.RmsNormForward(p[1], null, p[0], DeviceMemory.None, p[2].Floats, p[3].Floats, rows, columns, 1e-5f),
            p => RmsNorm.Forward(p[1], columns, p[0], columns, p[2], p[3], rows, columns, 1e-5f));
    }

    // That of fp32 is added to what is there, and is given rounded, too.
    private void CompareNormGradients(ElementType ofDx, ElementType type, ElementType ofX, int rows, int columns)
    {
        const int parts = 4;
        var (partRows, count, adds) = (rows / parts, Math.Max(rows * columns, Count), ofDx == ElementType.Fp32);
        Compare(
            "a norm's gradients",
            [
                new(Of(_z, count), ofDx), new(Of(_x, count), type), new(Of(_y, count), ofX), new(_z[..(2 * columns)], ElementType.Fp32),
                new(_x[..rows], ElementType.Fp32), new(_y[..rows], ElementType.Fp32), new(Of(_zeros, count), type),
                new(_y[..columns], ElementType.Fp32),
            ],
            p => kernels.NormBackward(new NormBackward
            {
                Dx = p[0],
                AddsToDx = adds,
                NarrowDx = adds ? p[6] : DeviceMemory.None,
                Dy = p[1],
                X = p[2],
                // What it is multiplied by stays as it is.
                Gain = Floats(_z),
                Means = p[4].Floats,
                Inverses = p[5].Floats,
                Rows = rows,
                Columns = columns,
                GainGradient = p[3].Floats,
                BiasGradient = p[3].Floats + columns,
                BranchBiasGradient = p[7].Floats,
                Sums = Floats(new float[3 * parts * columns]),
                PartRows = partRows,
            }),
            p =>
            {
                LayerNorm.Backward(p[0], columns, p[1], columns, p[2], columns, p[3], p[4], p[5], rows, columns, adds);
                NormGradients.Add(
                    p[3], p[3] + columns, p[1], columns, p[2], columns, p[4], p[5], partRows, parts, columns, true);
                if (adds)
                    Ranges.Copy(p[6], p[0], rows * columns);
                var written = adds ? p[6] : p[0];
                Round(type, written, rows * columns);
                ColumnSums.Add(p[7], written, columns, partRows, (long)partRows * columns, parts, columns, true);
            });
    }
}
