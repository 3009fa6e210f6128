using System.Text.Json;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Kernels.Optimization;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tests.Reference;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Muon against an independent one in float64 (make_muon.py), against its closed form, and in the training step.</summary>
public unsafe class MuonTests(ITestOutputHelper output)
{
    private static OptimizerSettings Settings { get; } = Samples.Optimizer() with { Kind = "muon" };

    // Its matrices end where tiles end, and two have more elements than a thread takes alone.
    private static ModelSettings Wide { get; } = Samples.Model(1, 4, 512, 128, 97);

    private static readonly Lazy<Digest> OneDevice = new(() => Train(1, 1));

    // Measured: 4e-7 at most.
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(9)]
    public void Five_steps_agree_with_double_precision_to_a_hundred_thousandth(int threads)
    {
        using var document = JsonDocument.Parse(typeof(MuonTests).Assembly.GetManifestResourceStream("muon_reference.json")!);
        var reference = document.RootElement;
        double Number(string name) => reference.GetProperty(name).GetDouble();
        var parameters = reference.GetProperty("parameters").EnumerateArray().ToList();
        var layout = new FlatLayout([.. parameters.Select(p => new ParameterSpec(
            p.GetProperty("name").GetString()!, [.. p.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64())],
            p.GetProperty("decays").GetBoolean(), new ParameterInit.Constant(0))
        { HiddenMatrices = p.GetProperty("hidden").GetInt32() })]);
        var muon = new Muon(Settings with
        { WeightDecay = Number("decay"), Momentum = Number("momentum"), AdamWRate = Number("adamwRate"), Betas = new(0.9, 0.95) });

        using var vectors = new ReplicaVectors(layout);
        using var gradient = new HostVector(layout.Length);
        using var team = new ThreadTeam(threads);
        void Draw(DeviceVector into, int stream)
        {
            foreach (var (i, p) in parameters.Index())
            {
                var segment = layout[p.GetProperty("name").GetString()!];
                into.CopyFrom(segment.Offset, ReferenceNumbers.Noise(stream + i, (int)segment.Count));
            }
        }
        Draw(vectors.Parameters, 0);
        for (var step = 0; step < reference.GetProperty("steps").GetInt32(); step++)
        {
            Draw(gradient, 100 + 10 * step);
            muon.Update(vectors, gradient, All(layout), new OptimizerStep(Number("rate"), step + 1, Number("clip")), team);
        }
        var worst = 0.0;
        foreach (var p in parameters)
        {
            var segment = layout[p.GetProperty("name").GetString()!];
            Compare(VectorSet.Parameters, "values");
            if (segment.Parameter.HiddenMatrices > 0)
            {
                Compare(VectorSet.FirstMoment, "momentum");
                Assert.All(vectors.Floats(VectorSet.SecondMoment, segment.Offset, (int)segment.Count).ToArray(), v => Assert.Equal(0, v));
            }

            void Compare(string vector, string name)
            {
                var error = ReferenceNumbers.RelativeError(
                    vectors.Floats(vector, segment.Offset, (int)segment.Count), ReferenceNumbers.Floats(p.GetProperty(name)));
                worst = Math.Max(worst, error);
                Assert.True(error < 1e-5, $"{name} of {segment.Name}: {error:E2}");
            }
        }
        output.WriteLine($"worst {worst:E2}");
    }

    // The polynomial acts on each singular value alone, so that those of the result are known. Five times let one grow by 480 at most, so
    // that what is below 0.002 of the norm stays below the band.
    [Theory]
    [InlineData(24, 40)]
    [InlineData(40, 24)]
    [InlineData(33, 33)]
    [InlineData(1, 50)]
    public void Singular_values_are_the_polynomials_of_the_old_ones_and_lie_in_the_published_band(int rows, int columns)
    {
        var before = ReferenceNumbers.Noise(rows, rows * columns);
        var norm = Math.Sqrt(before.Sum(v => (double)v * v));
        var normalized = SingularValues(before, rows, columns).Select(s => s / (norm + 1e-7)).Order().ToList();
        var expected = normalized.Select(x =>
        {
            for (var i = 0; i < 5; i++)
                x = 3.4445 * x - 4.7750 * Math.Pow(x, 3) + 2.0315 * Math.Pow(x, 5);
            return x;
        }).Order().ToList();
        using var team = new ThreadTeam(2);
        var actual = SingularValues(Orthogonalize(before, rows, columns, team), rows, columns).Order().ToList();
        output.WriteLine($"{actual[0]:F4} to {actual[^1]:F4}; error {expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max():E2}");
        Assert.All(expected.Zip(actual), s => Assert.Equal(s.First, s.Second, 1e-5));
        Assert.All(actual.Skip(normalized.Count(x => x < 0.002)), s => Assert.InRange(s, 0.68, 1.21));
    }

    [Fact]
    public void Of_a_gradient_of_zeros_nothing_comes_but_decay()
    {
        using var team = new ThreadTeam(1);
        Assert.All(Orthogonalize(new float[6 * 5], 6, 5, team), v => Assert.Equal(0, v));
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    [InlineData(1, 3)]
    [InlineData(1, 16)]
    public void Neither_devices_nor_threads_show_in_the_bits(int devices, int threads)
    {
        // Each device has matrices to update.
        var layout = Architectures.LayoutOf(Wide);
        Assert.All(Slice.Split(layout, devices, UpdateGranularity.WholeMatrices), s => Assert.NotEmpty(HiddenMatrix.In(layout, s)));
        Assert.Equal(OneDevice.Value, Train(devices, threads));
    }

    [Fact]
    public void It_learns_what_is_repeated_and_leaves_frozen_parameters_alone()
    {
        var model = Samples.Tiny();
        var batch = Samples.MicroBatches(model, 2, 2, 0);
        using var vectors = Samples.Initialized(model);
        var losses = Samples.Train(
            Architectures.Open(model), new Muon(Settings), vectors, 1, Enumerable.Repeat(batch, 30), rate: _ => 0.01);
        Assert.InRange(losses[^1], 0, losses[0] / 2);

        var layout = new FlatLayout(new ToyArchitecture().Parameters);
        var frozen = layout[ToyArchitecture.Table];
        Assert.All(
            HiddenMatrix.OthersIn(layout, All(layout)), p => Assert.False(p.First < frozen.End && frozen.Offset < p.First + p.Count));
    }

    [Fact]
    public void Each_trained_element_is_in_one_hidden_matrix_or_left_to_AdamW()
    {
        var layout = Architectures.LayoutOf(Samples.Tiny());
        var times = new int[layout.Length];
        foreach (var m in HiddenMatrix.In(layout, All(layout)))
        {
            for (var i = 0; i < m.Rows * m.Columns; i++)
                times[m.First + i / m.Columns * m.RowStride + i % m.Columns]++;
        }
        var hidden = times.Sum();
        foreach (var (_, first, count) in HiddenMatrix.OthersIn(layout, All(layout)))
        {
            for (var i = first; i < first + count; i++)
                times[i]++;
        }
        Assert.All(times, n => Assert.Equal(1, n));
        Assert.Equal(2 * 12 * 32 * 32, hidden);
        Assert.Equal(2 * 6, HiddenMatrix.In(layout, All(layout)).Count());
        Assert.All(HiddenMatrix.In(layout, All(layout)).Take(3), m => Assert.Equal((32, 32, 96L), (m.Rows, m.Columns, m.RowStride)));
    }

    [Fact]
    public void Every_architecture_says_which_of_its_matrices_are_hidden()
    {
        var names = typeof(ModelSettings).GetProperty(nameof(ModelSettings.Architecture))!
            .GetCustomAttributes(typeof(OneOfAttribute), false).Cast<OneOfAttribute>().Single().Names;
        Assert.All(names, name =>
        {
            var parameters = Architectures.Open(Samples.Tiny() with { Architecture = name }).Parameters;
            Assert.Contains(parameters, p => p.HiddenMatrices > 0);
            Assert.All(parameters.Where(p => p.HiddenMatrices > 0), p =>
            {
                Assert.Equal(2, p.Shape.Count);
                Assert.Equal(0, p.Shape[1] % p.HiddenMatrices);
            });
        });
    }

    [Fact]
    public void A_gradient_that_is_not_finite_is_refused_before_anything_changes()
    {
        using var vectors = Samples.Initialized(Samples.Tiny());
        using var gradient = new HostVector(vectors.Layout.Length);
        using var team = new ThreadTeam(1);
        gradient.Span(0, (int)gradient.Length).Fill(1);
        var before = Samples.DigestOf(vectors);
        var step = new OptimizerStep(1e-3, 1, GradientNorm.ClipCoefficient(double.NaN, 1));
        var error = Assert.Throws<ElasticException>(() => new Muon(Settings).Update(vectors, gradient, All(vectors.Layout), step, team));
        Assert.Contains("use a smaller optimizer.learning-rate", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Samples.DigestOf(vectors));
    }

    [Fact]
    public void What_an_update_needs_besides_the_vectors_is_counted()
    {
        var model = Samples.Model(2, 4, 768, 64, 97);
        var layout = Architectures.LayoutOf(model);
        // The largest matrix twice, and two squares of its smaller side.
        Assert.Equal(
            4 * (2 * 768 * 3072 + 2 * 768 * 768 + 32), new Muon(Settings).WorkspaceBytes(layout, 8));
        var settings = TrainingMemoryTests.Of(model, sequences: 4, micro: 2);
        var muon = settings with { Optimizer = settings.Optimizer with { Kind = "muon" } };
        Assert.Equal(
            new Muon(Settings).WorkspaceBytes(layout, Environment.ProcessorCount),
            TrainingPlan.OfReplica(muon, 1).Memory.Bytes - TrainingPlan.OfReplica(settings, 1).Memory.Bytes);
    }

    private static Slice All(FlatLayout layout) => Slice.Split(layout, 1)[0];

    private static Digest Train(int devices, int threads)
    {
        using var vectors = Samples.Initialized(Wide);
        Samples.Train(
            Architectures.Open(Wide), new Muon(Settings), vectors, devices,
            Enumerable.Range(0, 2).Select(step => Samples.MicroBatches(Wide, 3, 1, step)), rate: _ => 0.01, threadsOfDevice: threads);
        return Samples.DigestOf(vectors);
    }

    private static float[] Orthogonalize(float[] matrix, int rows, int columns, ThreadTeam team)
    {
        using var x = new NativeBuffer(matrix.Length * sizeof(float));
        using var workspace = new NativeBuffer(NewtonSchulz.WorkspaceFloats(rows, columns) * sizeof(float));
        matrix.CopyTo(new Span<float>(x.Floats, matrix.Length));
        Products.Reserve(team, NewtonSchulz.ProductBytes(team.Threads, rows, columns));
        return new Span<float>(NewtonSchulz.Run(team, x.Floats, rows, columns, workspace.Floats), matrix.Length).ToArray();
    }

    // One-sided Jacobi in double precision: rotates pairs of the fewer rows or columns until all are orthogonal; then their norms.
    private static List<double> SingularValues(float[] matrix, int rows, int columns)
    {
        var isTall = rows > columns;
        var lines = Enumerable.Range(0, Math.Min(rows, columns)).Select(i => Enumerable.Range(0, Math.Max(rows, columns))
            .Select(j => (double)(isTall ? matrix[j * columns + i] : matrix[i * columns + j])).ToArray()).ToList();
        for (var sweep = 0; sweep < 20; sweep++)
        {
            for (var p = 0; p < lines.Count; p++)
            {
                for (var q = p + 1; q < lines.Count; q++)
                    Rotate(lines[p], lines[q]);
            }
        }
        return [.. lines.Select(line => Math.Sqrt(line.Sum(v => v * v)))];
    }

    private static void Rotate(double[] a, double[] b)
    {
        double aa = a.Sum(v => v * v), bb = b.Sum(v => v * v), ab = a.Zip(b, (x, y) => x * y).Sum();
        if (Math.Abs(ab) < 1e-15 * Math.Sqrt(aa * bb))
            return;
        var zeta = (bb - aa) / (2 * ab);
        var t = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
        var cosine = 1 / Math.Sqrt(1 + t * t);
        for (var i = 0; i < a.Length; i++)
            (a[i], b[i]) = (cosine * (a[i] - t * b[i]), cosine * (b[i] + t * a[i]));
    }
}
