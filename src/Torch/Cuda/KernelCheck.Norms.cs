using Elastic.Kernels;

namespace Elastic.Torch.Cuda;

// Norms and their gradients: narrow and wide rows, and those that are too long for a block.
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
        CompareLongNorms(type);
    }

    private void CompareLayerNorms(ElementType type, int rows, int columns)
    {
        Operand branch = new(_x, type), wide = new(_y, ElementType.Fp32), zeros = new(_zeros, ElementType.Fp32), y = new(_zeros, type),
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

    // Rows longer than what lanes keep in registers and what the threads of a block have at once.
    private void CompareLongNorms(ElementType type)
    {
        const int rows = LongRows, columns = Count / LongRows;
        Compare(
            "root mean square norm of long rows",
            [new(_x, type), new(_zeros, type), new(_z[..columns], ElementType.Fp32), new(_y[..rows], ElementType.Fp32)],
            p => kernels.RmsNormForward(p[1], null, p[0], DeviceMemory.None, p[2].Floats, p[3].Floats, rows, columns, 1e-5f),
            p => RmsNorm.Forward(p[1], columns, p[0], columns, p[2], p[3], rows, columns, 1e-5f));
        CompareNormGradients(ElementType.Fp32, type, type, rows, columns);
    }

    // That of fp32 is added to what is there, and is given rounded, too.
    private void CompareNormGradients(ElementType ofDx, ElementType type, ElementType ofX, int rows, int columns)
    {
        const int parts = 4;
        var (partRows, adds) = (rows / parts, ofDx == ElementType.Fp32);
        Compare(
            "a norm's gradients",
            [
                new(_z, ofDx), new(_x, type), new(_y, ofX), new(_z[..(2 * columns)], ElementType.Fp32), new(_x[..rows], ElementType.Fp32),
                new(_y[..rows], ElementType.Fp32), new(_zeros, type), new(_y[..columns], ElementType.Fp32),
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
                Sums = Floats(_zeros),
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
                Round(type, written);
                ColumnSums.Add(p[7], written, columns, partRows, (long)partRows * columns, parts, columns, true);
            });
    }
}
