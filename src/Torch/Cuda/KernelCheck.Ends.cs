using Elastic.Kernels;
using Elastic.Kernels.Optimization;

namespace Elastic.Torch.Cuda;

// Memory that begins where neighbours cannot be moved at once, and rows that end in the middle of some: kernels go through these element by
// element (Neighbours of memory.cuh), as they do in each row of GPT-2's 50,257 logits.
internal sealed unsafe partial class KernelCheck
{
    private const int OddRows = 92, OddColumns = 201, OddCount = Count - 3;

    private void CompareEnds(ElementType type)
    {
        Operand x = new(_x, type), y = new(_y, type), z = new(_z, type), wide = new(_z, ElementType.Fp32),
            sums = new(_gain, ElementType.Fp32);
        CompareActivationEnds<GeluTanh>(ActivationKind.GeluTanh, x, y, z);
        CompareActivationEnds<GeluErf>(ActivationKind.GeluErf, x, y, z);
        CompareActivationEnds<Relu>(ActivationKind.Relu, x, y, z);
        Compare(
            "the ends of SwiGLU", [x, y, z], p => kernels.SwiGlu(p[2].From(1), p[0].From(1), p[1].From(1), OddCount),
            p => Activations.SwiGlu(p[2] + 1, OddCount, p[0] + 1, OddCount, p[1] + 1, OddCount, 1, OddCount));
        Compare(
            "the ends of SwiGLU's gradient", [x, y, z],
            p => kernels.SwiGluBackward(p[0].From(1), p[1].From(1), p[2].From(1), p[0].From(1), p[1].From(1), OddCount),
            p => Activations.SwiGluBackward(
                p[0] + 1, OddCount, p[1] + 1, OddCount, p[2] + 1, OddCount, p[0] + 1, OddCount, p[1] + 1, OddCount, 1, OddCount));
        Compare(
            "the ends of a residual with dropout", [x, wide, wide],
            p => kernels.Dropout(p[2].From(1), p[0].From(1), p[1].From(1), 12345, 7, OddCount, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[2] + 1, p[0] + 1, p[1] + 1, 12345, 7, OddCount, DropoutRate.Of(0.3)));
        Compare(
            "the ends of a scaled sum", [x, y, z],
            p => kernels.ScaledSum(p[2].From(1), p[0].From(1), p[1].From(1), 0.3f, OddCount),
            p => Ranges.AddScaled(p[2] + 1, p[0] + 1, p[1] + 1, 0.3f, OddCount));
        Compare(
            "the ends of a conversion", [wide, x], p => kernels.Scale(p[1].From(1), p[0].From(1), 1, OddCount),
            p => Ranges.Copy(p[1] + 1, p[0] + 1, OddCount));
        CompareLayerNorms(type, OddRows, OddColumns);
        CompareNormGradients(ElementType.Fp32, type, ElementType.Fp32, OddRows, OddColumns);
        Compare(
            "sums of odd columns", [x, sums], p => kernels.ColumnSums(p[0].From(1), SumsInto(p[1], 1, OddRows, OddColumns)),
            p => ColumnSums.Add(p[1], p[0] + 1, OddColumns, 1, OddColumns, OddRows, OddColumns, true));
        CompareMadeSums(type, OddRows / 4, 4, OddColumns, 81);
        if (type == ElementType.Fp32)
            CompareUpdateEnds();
    }

    private void CompareActivationEnds<T>(ActivationKind kind, params Operand[] operands)
        where T : struct, IActivation
    {
        Compare(
            $"the ends of {kind}", operands, p => kernels.Activate(kind, p[1].From(1), p[0].From(1), OddCount),
            p => Activations.Forward<T>(p[1] + 1, p[0] + 1, OddCount));
        Compare(
            $"the ends of {kind}'s gradient", operands,
            p => kernels.ActivateBackward(kind, p[2].From(1), p[1].From(1), p[0].From(1), OddCount),
            p => Activations.Backward<T>(p[2] + 1, p[1] + 1, p[0] + 1, OddCount));
    }

    private void CompareUpdateEnds()
    {
        Operand x = new(_x, ElementType.Fp32), y = new(_y, ElementType.Fp32), zeros = new(_zeros, ElementType.Fp32);
        var step = new AdamWStep(3, 1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5);
        foreach (var type in new[] { ElementType.Bf16, ElementType.Fp16 })
            Compare(
                "the ends of AdamW with a copy", [x, y, zeros, zeros, new(_zeros, type)],
                p => kernels.AdamW(
                    p[0].Floats + 1, p[1].Floats + 1, p[2].Floats + 1, p[3].Floats + 1, p[4].From(1), OddCount, step),
                p =>
                {
                    AdamWUpdate.Run(p[0] + 1, p[1] + 1, p[2] + 1, p[3] + 1, OddCount, step);
                    Ranges.Copy(p[4] + 1, p[0] + 1, OddCount);
                });
    }
}
