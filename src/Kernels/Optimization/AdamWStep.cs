namespace Elastic.Kernels.Optimization;

/// <summary>
/// The numbers of one step of AdamW (Loshchilov and Hutter 2019, algorithm 2, with the learning rate in the decay as PyTorch has it),
/// computed in double precision and rounded to fp32 once.
/// </summary>
internal readonly struct AdamWStep
{
    /// <param name="number">t, from 1.</param>
    /// <param name="clipCoefficient">What gradients are multiplied by.</param>
    public AdamWStep(
        long number, double learningRate, double beta1, double beta2, double epsilon, double weightDecay, double clipCoefficient)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        Clip = (float)clipCoefficient;
        Decay = (float)(1 - learningRate * weightDecay);
        (Beta1, Beta2) = ((float)beta1, (float)beta2);
        (Rest1, Rest2) = ((float)(1 - beta1), (float)(1 - beta2));
        Rate = (float)(learningRate / (1 - Power(beta1, number)));
        RootCorrection = (float)(1 / Math.Sqrt(1 - Power(beta2, number)));
        Epsilon = (float)epsilon;
    }

    /// <summary>The clip coefficient.</summary>
    public float Clip { get; }

    /// <summary>1 - learning rate x weight decay.</summary>
    public float Decay { get; }

    public float Beta1 { get; }

    public float Beta2 { get; }

    /// <summary>1 - β1.</summary>
    public float Rest1 { get; }

    /// <summary>1 - β2.</summary>
    public float Rest2 { get; }

    /// <summary>Learning rate / (1 - β1^t).</summary>
    public float Rate { get; }

    /// <summary>1 / sqrt(1 - β2^t).</summary>
    public float RootCorrection { get; }

    public float Epsilon { get; }

    /// <summary>x^n by squaring, from n's lowest bit to its highest: the same on every processor, which the C library's is not.</summary>
    internal static double Power(double x, long n)
    {
        var result = 1.0;
        for (; n > 0; n >>= 1, x *= x)
        {
            if ((n & 1) != 0)
                result *= x;
        }
        return result;
    }
}
