using Elastic.Kernels;
using Elastic.Kernels.Optimization;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;

namespace Elastic.Model.Optimization;

/// <summary>
/// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers") for hidden matrices, with the weight decay and the scale of Liu et al.
/// 2025 ("Muon is scalable for LLM training", section 2.2); AdamW for all else. Of a matrix W of rows x columns, with gradient G:
///   M = β M + (1 - β) G;   U = β M + (1 - β) G (Nesterov);   O = U with all singular values near 1 (<see cref="NewtonSchulz"/>)
///   W = W (1 - rate decay) - rate 0.2 sqrt(max(rows, columns)) O
/// 0.2 sqrt(max(rows, columns)) makes the steps about as large as AdamW's, so that both take one learning rate. The packed projections to
/// queries, keys and values are three matrices.
///
/// The momentum is the vector <see cref="VectorSet.FirstMoment"/>. <see cref="VectorSet.SecondMoment"/> is AdamW's; where matrices lie it
/// stays zero, which costs 4 bytes of memory for each of their parameters, as in AdamW, and hardly anything stored: all chunks of zeros are
/// one blob.
/// </summary>
public sealed class Muon(OptimizerSettings settings) : IOptimizer
{
    private const double Scale = 0.2;

    // A larger matrix has work for all threads by itself. Threads take smaller ones whole, one each.
    private const long SmallElements = 512 * 512;

    private readonly AdamW _others = new(settings);

    /// <summary>β, the weight decay, and AdamW's numbers.</summary>
    public OptimizerSettings Settings { get; } = settings;

    /// <inheritdoc/>
    public IReadOnlyList<string> Vectors => _others.Vectors;

    /// <inheritdoc/>
    public UpdateGranularity Granularity => UpdateGranularity.WholeMatrices;

    /// <summary>What a step subtracts is this much of O.</summary>
    public static double StepSize(HiddenMatrix matrix, OptimizerStep step)
        => step.LearningRate * Scale * Math.Sqrt(Math.Max(matrix.Rows, matrix.Columns));

    /// <summary>The step of the parameters that are in no hidden matrix.</summary>
    public OptimizerStep StepOfOthers(OptimizerStep step) => step with { LearningRate = step.LearningRate * Settings.AdamWRate };

    /// <inheritdoc/>
    public double WorkspaceBytes(FlatLayout layout, int threads)
    {
        var (largest, largestSmall) = (0L, 0L);
        foreach (var matrix in HiddenMatrix.In(layout, Slice.Split(layout, 1)[0]))
        {
            largest = Math.Max(largest, Floats(matrix));
            if (matrix.Count <= SmallElements)
                largestSmall = Math.Max(largestSmall, Floats(matrix));
        }
        return sizeof(float) * Math.Max(largest, (double)threads * largestSmall);
    }

    /// <inheritdoc/>
    public void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentNullException.ThrowIfNull(gradient);
        ArgumentNullException.ThrowIfNull(team);
        AdamW.CheckFinite(step);
        _others.Update(vectors, gradient, HiddenMatrix.OthersIn(vectors.Layout, slice), StepOfOthers(step), team);
        var matrices = HiddenMatrix.In(vectors.Layout, slice).ToLookup(m => m.Count <= SmallElements);
        var small = matrices[true].OrderByDescending(m => m.Count).ToList();              // so that no thread ends long after the others
        if (small.Count < team.Threads)
            UpdateTogether(small, m => Update(vectors, gradient, m.Matrix, step, team, m.Workspace));
        else
            UpdateApart(small, team, m => Update(vectors, gradient, m.Matrix, step, m.Team, m.Workspace));
        UpdateTogether([.. matrices[false]], m => Update(vectors, gradient, m.Matrix, step, team, m.Workspace));
        GC.KeepAlive(vectors);
        GC.KeepAlive(gradient);
    }

    // One matrix after the other.
    private static void UpdateTogether(List<HiddenMatrix> matrices, Action<(HiddenMatrix Matrix, NativeBuffer Workspace)> update)
    {
        if (matrices.Count == 0)
            return;
        using var workspace = new NativeBuffer(matrices.Max(Floats) * sizeof(float));
        foreach (var matrix in matrices)
            update((matrix, workspace));
    }

    // As many at once as there are threads, each a team of its own.
    private static void UpdateApart(
        List<HiddenMatrix> matrices, ThreadTeam team, Action<(HiddenMatrix Matrix, ThreadTeam Team, NativeBuffer Workspace)> update)
    {
        var places = new (ThreadTeam Team, NativeBuffer Workspace)[team.Threads];
        try
        {
            for (var i = 0; i < places.Length; i++)
                places[i] = (new ThreadTeam(1), new NativeBuffer(matrices.Max(Floats) * sizeof(float)));
            team.Run(new Alone(matrices, matrix =>
            {
                var (one, workspace) = places[ThreadTeam.ThreadIndex];
                update((matrix, one, workspace));
            }), matrices.Count);
        }
        finally
        {
            foreach (var (one, workspace) in places)
            {
                one?.Dispose();
                workspace?.Dispose();
            }
        }
    }

    private static long Floats(HiddenMatrix m) => m.Count + 32 + NewtonSchulz.WorkspaceFloats(m.Rows, m.Columns);

    private unsafe void Update(
        ReplicaVectors vectors, HostVector gradient, HiddenMatrix m, OptimizerStep step, ThreadTeam team, NativeBuffer workspace)
    {
        float* parameters = vectors.Host(VectorSet.Parameters).Data, momentum = vectors.Host(VectorSet.FirstMoment).Data,
            data = gradient.Data, x = workspace.Floats;
        var (clip, beta, rest) = ((float)step.ClipCoefficient, (float)Settings.Momentum, (float)(1 - Settings.Momentum));
        Rows.Run(team, m.Rows, m.Columns, row => MuonElements.LookAhead(
            x + row * m.Columns, momentum + At(row), data + At(row), m.Columns, clip, beta, rest));
        Products.Reserve(team, NewtonSchulz.ProductBytes(team.Threads, m.Rows, m.Columns));
        var o = NewtonSchulz.Run(team, x, m.Rows, m.Columns, x + (m.Count + 31) / 32 * 32);
        var (decay, rate) = ((float)(1 - step.LearningRate * (m.Decays ? Settings.WeightDecay : 0)), (float)StepSize(m, step));
        Rows.Run(team, m.Rows, m.Columns, row => MuonElements.Apply(parameters + At(row), o + row * m.Columns, m.Columns, decay, rate));

        long At(long row) => m.First + row * m.RowStride;
    }

    private readonly struct Alone(IReadOnlyList<HiddenMatrix> matrices, Action<HiddenMatrix> update) : IParallelWork
    {
        public void Run(int piece) => update(matrices[piece]);
    }
}
