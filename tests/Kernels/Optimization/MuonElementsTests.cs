using Elastic.Kernels.Optimization;

namespace Elastic.Kernels.Tests.Optimization;

public unsafe class MuonElementsTests
{
    private const float Clip = 0.3f, Beta = 0.95f, Rest = 0.05f, Decay = 0.998f, Rate = 0.02f;

    // Errors of some roundings of each term.
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(1033)]
    public void Momentum_look_ahead_and_step_agree_with_double_precision_for_all_lanes(int count)
    {
        using var arena = new Arena();
        float* gradient = arena.Random(1, count), old = arena.Random(2, count), weights = arena.Random(3, count);
        var result = AllKinds.Same(() =>
        {
            using var own = new Arena();
            float* into = own.Floats(count), momentum = own.Of(Arena.Read(old, count)), p = own.Of(Arena.Read(weights, count));
            MuonElements.LookAhead(into, momentum, gradient, count, Clip, Beta, Rest);
            MuonElements.Apply(p, into, count, Decay, Rate);
            return (float[])[.. Arena.Read(momentum, count), .. Arena.Read(into, count), .. Arena.Read(p, count)];
        });
        for (var i = 0; i < count; i++)
        {
            var share = (double)gradient[i] * Clip * Rest;
            var momentum = (double)old[i] * Beta + share;
            var ahead = momentum * Beta + share;
            var magnitude = Math.Abs(old[i]) + Math.Abs(share);
            Reference.Close(result[i], momentum, magnitude, 4, "momentum");
            Reference.Close(result[count + i], ahead, magnitude, 8, "look-ahead");
            Reference.Close(result[2 * count + i], (double)weights[i] * Decay - ahead * Rate, Math.Abs(weights[i]) + magnitude, 4, "step");
        }
    }

    [Fact]
    public void Momenta_end_at_zero_and_never_as_denormal_numbers()
    {
        using var arena = new Arena();
        float* momentum = arena.Random(1, 20), gradient = arena.Floats(20, 0), into = arena.Floats(20);
        for (var step = 0; step < 3000; step++)
        {
            MuonElements.LookAhead(into, momentum, gradient, 20, 1, Beta, Rest);
            Assert.All(Arena.Read(momentum, 20), m => Assert.False(float.IsSubnormal(m)));
        }
        Assert.All(Arena.Read(momentum, 20), m => Assert.Equal(0, m));
    }
}
