using Elastic.Kernels;

namespace Elastic.Bench.Kernels;

/// <summary>The products of a GPT-2 and the peak of fused multiply-adds, measured in turns.</summary>
internal sealed class ProductContest : IDisposable
{
    private readonly ThreadTeam _team;
    private readonly Clock _clock;
    private readonly NativeBuffer _changing, _staying;
    private readonly List<double> _peaks = [];
    private readonly int _peakSteps;
    private readonly bool _countsProcessorTime;

    /// <param name="floatsThatChange">At least so many floats of weights and saved activations: more than a cache holds.</param>
    public ProductContest(int threads, bool countsProcessorTime, IReadOnlyList<ProductCase> cases, long floatsThatChange, int peakSteps)
    {
        (Cases, _peakSteps, _countsProcessorTime) = (cases, peakSteps, countsProcessorTime);
        _team = new ThreadTeam(threads);
        _clock = new Clock(countsProcessorTime, _team);
        Products.Reserve(_team, cases.Max(c => c.WorkspaceBytes(threads)));
        _changing = Filled(Math.Max(cases.Max(c => c.Floats.Changing), floatsThatChange));
        _staying = Filled(cases.Max(c => c.Floats.Staying));
    }

    public IReadOnlyList<ProductCase> Cases { get; }

    /// <summary>Operations per second of all threads together.</summary>
    public double Peak => Rate(_peaks);

    /// <summary>The layers' products: those of every pass for one number of rows.</summary>
    /// <param name="parts">Parts of K in gradients of weights: the micro-batches.</param>
    /// <param name="shared">See <see cref="ProductCase"/>.</param>
    public static IEnumerable<ProductCase> Of(int rows, int width, int vocabulary, int parts, int shared = 1)
        => Enum.GetValues<Pass>().SelectMany(pass => new ProductCase[]
        {
            new("qkv", pass, rows, width, 3 * width, parts, shared),
            new("projection", pass, rows, width, width, parts, shared),
            new("up", pass, rows, width, 4 * width, parts, shared),
            new("down", pass, rows, 4 * width, width, parts, shared),
            new("head", pass, rows, width, vocabulary, parts, shared),
        });

    /// <summary>One turn.</summary>
    public void Measure()
    {
        foreach (var c in Cases)
        {
            var begun = _clock.Seconds;
            _team.Run(new PeakWork(_peakSteps), _team.Threads);
            _peaks.Add(_team.Threads * FmaPeak.Operations(_peakSteps) / (_clock.Seconds - begun));
            // The first brings into the cache what stays.
            c.Run(_team, _changing, _staying, _clock);
            c.Run(_team, _changing, _staying, _clock);
        }
    }

    /// <summary>
    /// What a case reaches. Other programs only make it slower, so the best repetition counts; processor time has outliers of both signs,
    /// so there it is the upper quartile.
    /// </summary>
    public double Rate(ProductCase c) => Rate(c.Rates);

    /// <summary>The same of all products of a step with these rows: twelve layers and one head.</summary>
    public double StepRate(int rows)
    {
        static double Times(ProductCase c) => c.IsHead ? 1 : 12;
        var cases = Cases.Where(c => c.Rows == rows).ToList();
        return cases.Sum(c => Times(c) * c.Operations) / cases.Sum(c => Times(c) * c.Operations / Rate(c));
    }

    public void Dispose()
    {
        _team.Dispose();
        _changing.Dispose();
        _staying.Dispose();
    }

    private double Rate(List<double> rates) => _countsProcessorTime ? rates.Order().ElementAt(rates.Count * 3 / 4) : rates.Max();

    private static unsafe NativeBuffer Filled(long floats)
    {
        var buffer = new NativeBuffer(floats * sizeof(float));
        for (long i = 0, n = buffer.Bytes / sizeof(float); i < n; i++)
            buffer.Floats[i] = ((i * 7919) % 1021 - 510) * 1e-3f;
        return buffer;
    }
}
