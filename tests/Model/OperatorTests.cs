using Elastic.Model.Native;
using Elastic.Model.Networks;
using static TorchSharp.torch;

namespace Elastic.Model.Tests;

/// <summary>What GPUs compute in another way than the CPU, checked on the CPU against its way.</summary>
public class OperatorTests
{
    public OperatorTests() => NativeTorch.Load();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Attention_written_out_agrees_with_the_fused_kernel(bool withMask)
    {
        using var scope = NewDisposeScope();
        var (qkv, dy, nothingDropped) = (randn(3 * 10, 3 * 24), randn(3 * 10, 24), ones(3, 4, 10, 10));
        var (fused, fusedSaved) = Attention.Forward(qkv, 3, 4, null);
        var (written, writtenSaved) = Attention.Forward(qkv, 3, 4, withMask ? nothingDropped : null, fused: false);
        Assert.True(allclose(fused, written, 1e-5, 1e-6));
        Assert.True(allclose(fusedSaved.Backward(dy), writtenSaved.Backward(dy), 1e-4, 1e-5));
    }

    [Fact]
    public void Rows_added_after_sorting_are_those_added_one_by_one()
    {
        using var scope = NewDisposeScope();
        var (index, rows, start) = (randint(0, 5, 40), randn(40, 8), randn(6, 8));
        var (one, sorted) = (start.clone(), start.clone());
        Operators.AddRows(one, index, rows);
        Operators.AddRowsSorted(sorted, index, rows);
        Assert.False(allclose(start, one));
        Assert.True(allclose(one, sorted, 1e-5, 1e-6));
    }
}
