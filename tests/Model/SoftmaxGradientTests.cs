using System.Runtime.Intrinsics;
using Elastic.Kernels;
using Elastic.Model.Native;
using static TorchSharp.torch;

namespace Elastic.Model.Tests;

public unsafe class SoftmaxGradientTests
{
    public SoftmaxGradientTests() => NativeTorch.Load();

    [Theory]
    [InlineData(5, 0.0)]
    [InlineData(16, 0.1)]
    [InlineData(5003, 0.0)]
    [InlineData(5003, 0.3)]
    public void Loss_and_gradient_agree_with_autograd_in_double_precision(int count, double smoothing)
    {
        using var scope = NewDisposeScope();
        foreach (var size in new[] { 0.1, 3.0, 60.0 })
        {
            var z = randn(count, float64).mul_(size).requires_grad_(true);
            var target = (long)(count / 2);
            var expected = nn.functional.cross_entropy(z.unsqueeze(0), tensor(new[] { target }), label_smoothing: smoothing);
            (expected * 0.25).backward();
            var actual = z.detach().to(float32);
            var loss = SoftmaxGradient.Row(Dispatcher.Floats(actual), count, target, smoothing, 0.25);
            Assert.Equal(expected.item<double>(), loss, 1e-5 * Math.Max(1, size));
            Assert.InRange((actual - z.grad!).abs().max().item<double>(), 0, 2e-6 * Math.Max(1, size / 10));
        }
    }

    [Fact]
    public void Exponentials_are_good_to_a_few_units_of_the_last_digit()
    {
        for (var x = -86.9f; x <= 0; x += 0.0137f)
            Assert.Equal(1, SoftmaxGradient.Exp(Vector512.Create(x)).GetElement(3) / Math.Exp(x), 4e-7);
        Assert.Equal(1f, SoftmaxGradient.Exp(Vector512<float>.Zero).GetElement(0));
    }
}
