using Elastic.Kernels.Optimization;
using Elastic.Messages.Settings;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>The step of <see cref="Muon"/> on one hidden matrix, in plain tensor operations.</summary>
internal static class TorchMuon
{
    /// <summary>Updates the matrix and its momentum in place.</summary>
    /// <param name="products">Null for libtorch's.</param>
    public static void Update(
        OptimizerSettings settings, HiddenMatrix matrix, OptimizerStep step, TorchVector parameters, TorchVector momentum,
        TorchVector gradient, DeviceProducts? products)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        Tensor View(TorchVector vector) => vector.Flat.as_strided(
            [matrix.Rows, matrix.Columns], [matrix.RowStride, 1], matrix.First - vector.First);                    // (rows, columns)
        var (w, m) = (View(parameters), View(momentum));
        var share = View(gradient).Times((float)(step.ClipCoefficient * (1 - settings.Momentum)));
        m.TimesInPlace((float)settings.Momentum).AddInPlace(share);
        var o = Orthogonalize(m.Times((float)settings.Momentum).Plus(share), products);
        w.TimesInPlace((float)(1 - step.LearningRate * (matrix.Decays ? settings.WeightDecay : 0)))
            .sub_(o.Times((float)Muon.StepSize(matrix, step)));
    }

    private static Tensor Orthogonalize(Tensor u, DeviceProducts? products)
    {
        var isTall = u.shape[0] > u.shape[1];
        var x = isTall ? u.t() : u;
        x = x / x.norm().Plus(NewtonSchulz.Epsilon);
        for (var i = 0; i < NewtonSchulz.Iterations; i++)
        {
            var g = ProductOperators.Multiply(products, x, x.t());
            var polynomial = ProductOperators.Combine(products, g, g, NewtonSchulz.C, NewtonSchulz.B, g);
            x = ProductOperators.Combine(products, polynomial, x, 1, NewtonSchulz.A, x);
        }
        return isTall ? x.t() : x;
    }
}
