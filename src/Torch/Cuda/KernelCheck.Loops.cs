using Elastic.Kernels;

namespace Elastic.Torch.Cuda;

// Where kernels spend their time in a model, and the small shapes do not come: several rows, pieces, runs or eights of one thread.
internal sealed unsafe partial class KernelCheck
{
    private const int LongColumns = 4096, LongVocabulary = 70001, ManyParts = 600;

    private void CompareLoops(ElementType type)
    {
        Operand x = new(_x, type), sums = new(_gain, ElementType.Fp32);
        // Eight rows of a part at a time.
        Compare(
            "column sums of parts", [x, sums], p => kernels.ColumnSums(p[0], SumsInto(p[1], PartRows, Rows, Columns)),
            p => ColumnSums.Add(p[1], p[0], Columns, PartRows, (long)PartRows * Columns, Rows / PartRows, Columns, true));
        if (type == ElementType.Fp32)
            CompareManyParts(x, sums);
        CompareManyEights(type);
    }

    // More runs of parts than a block has warps.
    private void CompareManyParts(Operand x, Operand sums)
    {
        const int columns = Count / ManyParts;
        Compare(
            "a sum of many parts", [x, sums], p => kernels.AddParts(p[1].Floats, p[0].Floats, ManyParts, columns),
            p => ColumnSums.Add(p[1], p[0], columns, 1, columns, ManyParts, columns, true));
    }

    // Some threads have two eights and go through them at once, some have one, and the last one has less.
    private void CompareManyEights(ElementType type)
    {
        var count = kernels.ElementsAtOnce + Count - 3;
        Operand x = new(Of(_x, count), type), y = new(Of(_y, count), type), z = new(Of(_z, count), type);
        Compare(
            "many elements of an activation", [x, z], p => kernels.Activate(ActivationKind.GeluTanh, p[1], p[0], count),
            p => Activations.Forward<GeluTanh>(p[1], p[0], count));
        Compare(
            "many elements of a scaled sum", [x, y, z], p => kernels.ScaledSum(p[2], p[0], p[1], 0.3f, count),
            p => Ranges.AddScaled(p[2], p[0], p[1], 0.3f, count));
    }

    // More pieces than a block has groups of threads.
    private void CompareLongLosses(ElementType type)
    {
        CompareLosses(type, 1, LongVocabulary, LongVocabulary, LongVocabulary, 0.1, [0.7f]);
        CompareLosses(type, 1, LongVocabulary, LongVocabulary, LongVocabulary, 0.1, hasGradients: false);
    }
}
