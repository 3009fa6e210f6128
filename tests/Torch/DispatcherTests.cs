using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests;

/// <summary>Effects, not the absence of errors: a call with wrong arguments may be dropped in silence.</summary>
public class DispatcherTests
{
    public DispatcherTests() => NativeTorch.Load();

    [Fact]
    public void An_unknown_operator_is_an_exception_not_the_end_of_the_process()
        => Assert.Throws<InvalidOperationException>(() => Dispatcher.Call("aten::no_such_operator", "", 0));

    [Fact]
    public void Tensors_and_numbers_arrive_and_results_come_back()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (rand(3, 4), rand(4, 5));
        Assert.True(allclose(a.mm(b), Dispatcher.Call("aten::mm", "", 1, a, b)[0]));
        Assert.Equal([3, 2], Dispatcher.Call("aten::narrow", "", 1, a, 1L, 1L, 2L)[0].shape);
    }

    [Fact]
    public void Strings_lists_and_optional_arguments_arrive()
    {
        using var scope = NewDisposeScope();
        var (x, gain) = (randn(3, 8), rand(8));
        Assert.False(allclose(
            Dispatcher.Call("aten::gelu", "", 1, x, "tanh")[0], Dispatcher.Call("aten::gelu", "", 1, x, "none")[0], 0, 1e-7));
        var norm = Dispatcher.Call(
            "aten::native_layer_norm", "", 3, x, new long[] { 8 }, Dispatcher.Argument.Some(gain), Dispatcher.Argument.None, 1e-5);
        Assert.True(allclose(nn.functional.layer_norm(x, [8], gain, null, 1e-5), norm[0], 1e-5, 1e-6));
        Assert.Equal([3, 1], norm[1].shape);
    }

    [Fact]
    public void Autograd_works_through_it()
    {
        using var scope = NewDisposeScope();
        var x = randn(3).requires_grad_(true);
        Dispatcher.Call("aten::mul", "Tensor", 1, x, x)[0].sum().backward();
        Assert.True(allclose(x.Plus(x), x.grad!));
    }

    [Fact]
    public void Ten_thousand_calls_leave_no_tensor_behind()
    {
        using var x = randn(4, 4);
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (var i = 0; i < 10_000; i++)
            Dispatcher.Call("aten::gelu", "", 1, x, "tanh")[0].Dispose();
        // Of this thread: other tests run beside this one.
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }
}
