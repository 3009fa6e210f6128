using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

/// <summary>What the virtual nodes compute: like the real arithmetic a pure function of its inputs, but of digests only.</summary>
public static class VirtualArithmetic
{
    private const int Context = 16;

    public static readonly Digest First = D("version 0");

    /// <summary>The hash chain and the version after all rounds, computed directly, without nodes or accidents.</summary>
    /// <param name="changes">Changes of settings in mid-run, which the plan has.</param>
    /// <param name="windows">The corpus, where it is read one window after the other; else none.</param>
    public static (Digest ChainHead, Digest Version) Expected(
        RunPlan plan, IReadOnlyList<SettingsChange> changes, IReadOnlyList<CorpusWindow> windows)
    {
        var (chain, version, inner) = (HashChain.Empty, First, new Digest?[plan.ReplicasAt(0)]);
        for (var round = 0; round < plan.Rounds; round++)
        {
            // A replica that is new has no state.
            var results = Enumerable.Range(0, plan.ReplicasAt(round)).Select(
                replica => Compute(plan.At(round), round, replica, version, replica < inner.Length ? inner[replica] : null)).ToList();
            version = Version(plan, [.. Enumerable.Range(0, plan.Chunks)
                .Select(c => Average(round, c, version, [.. results.Select(r => r.Contribution)], plan.At(round).Changes))]);
            var (from, to) = (plan.Timeline.SamplesBefore(round), plan.Timeline.SamplesBefore(round + 1));
            chain = HashChain.Append(HashChain.Before(round, chain, changes), results.Select(HashChain.Of), version, windows
                .Where(w => w.Blocks > 0 && windows.Take(w.Number).Sum(b => b.Blocks) is var begin && begin >= from && begin < to)
                .Select(w => w.Digest));
            inner = [.. results.Select(r => (Digest?)r.InnerState)];
        }

        return (chain, version);
    }

    public static ReplicaResult Compute(Segment segment, int round, int replica, Digest version, Digest? innerState) => new(
        round, replica, D($"contribution {round} {replica} {version} {innerState}{Of(segment)}"),
        D($"inner {round} {replica} {version} {innerState}{Of(segment)}"), segment.SamplesOf(replica) * Context, 9.0 - round,
        D($"samples {round} {replica}{Of(segment)}"));

    /// <summary>
    /// The result that a computation by way of a hand-over has; another one where the state that was handed over is wrong.
    /// </summary>
    public static ReplicaResult Resume(Compute order, ReplicaHandOver from)
    {
        var whole = Compute(order.Segment, order.Round, order.Replica, order.Version, order.InnerState);
        return from.State == StateAfter(order, from.Step)
            ? whole
            : whole with { Contribution = D($"contribution of {from.State}"), InnerState = D($"inner of {from.State}") };
    }

    /// <summary>The state after so many steps of a replica's round, from its beginning or from a hand-over.</summary>
    public static Digest StateAfter(Compute order, int step) =>
        order.HandOver is { } from && from.State != StateAfter(order with { HandOver = null }, from.Step)
            ? D($"{step} steps after {from.State}")
            : D($"state {order.Round} {order.Replica} {step} {order.Version} {order.InnerState}{Of(order.Segment)}");

    public static AveragedChunk Average(int round, int chunk, Digest version, Digest[] contributions, string changes) =>
        new(chunk, D($"chunk {round} {chunk} {version} {string.Join(' ', contributions)}{changes}"), null);

    // All that a replica's round depends on besides its version and its state.
    private static string Of(Segment s) => $"{s.Changes}{s.Mixtures} {s.FirstSample} {s.FirstStep} {s.ScheduleSteps} {s.InnerSteps}";

    public static VersionScore Score(int version) => new(version, 9.0 - version, 1);

    /// <summary>The vector set of a version.</summary>
    public static Digest Version(RunPlan plan, IReadOnlyList<AveragedChunk> chunks) =>
        VectorSet.Version(plan.Elements, chunks, null).Digest;
}
