using Elastic.Bench;

namespace Elastic.Kernels.Tests;

public class ElementaryLanesTests
{
    // Every 4,099th fp32 number of all 2^32, and what lies at edges.
    private const long Step = 4_099;

    private static readonly float[] Inputs = Sample();

    public static TheoryData<string> Names => [.. ElementaryFunction.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_function_stays_within_its_bound(string name)
    {
        var function = ElementaryFunction.All.Single(f => f.Name == name);
        var results = new float[Inputs.Length];
        function.Apply(Inputs, results);
        for (var i = 0; i < Inputs.Length; i++)
        {
            if (function.IsDomain(Inputs[i]))
            {
                var error = ElementaryFunction.Ulps(results[i], function.Exact(Inputs[i]));
                Assert.True(error <= function.Bound, $"{name}({Inputs[i]:G9}) = {results[i]:G9}: {error} ulp");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_function_has_the_same_bits_in_all_kinds_of_lanes(string name)
    {
        var function = ElementaryFunction.All.Single(f => f.Name == name);
        var some = Inputs.Where((x, i) => !float.IsNaN(x) && (i % 64 == 0 || i < 512)).ToArray();
        some = some[..(some.Length / 16 * 16)];
        AllKinds.Same<float>(() =>
        {
            var results = new float[some.Length];
            function.Apply(some, results);
            // The bits of "not a number" differ between processors.
            return [.. results.Select(x => float.IsNaN(x) ? 0 : x)];
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Not_a_number_stays_one(string name)
    {
        float[] x = [.. Enumerable.Repeat(float.NaN, 16)], y = new float[16];
        ElementaryFunction.All.Single(f => f.Name == name).Apply(x, y);
        Assert.All(y, v => Assert.True(float.IsNaN(v)));
    }

    private static float[] Sample()
    {
        var edges = new List<float>();
        foreach (var x in new[] { 0, 1, 0.5f, 0.35f, 87, 88, 88.72284f, 89, 104, 3.92f, 9.02f, 1.1754944e-38f, float.Epsilon,
            float.MaxValue, float.PositiveInfinity, 0.70710677f, 1.4142135f, 0.7853982f, 1.5707964f, 3.1415927f, 100_000, 20, 2 })
        {
            foreach (var y in new[] { x, MathF.BitDecrement(x), MathF.BitIncrement(x) })
                edges.AddRange([y, -y]);
        }
        for (var i = 0L; i < 1L << 32; i += Step)
            edges.Add(BitConverter.UInt32BitsToSingle((uint)i));
        return [.. edges.Take(edges.Count / 16 * 16)];
    }
}
