using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Web;

/// <summary>
/// A run's rounds as they went, of its observations: which phase when, how much of what was computed counts, and what was lost in each.
/// </summary>
internal static class RoundTimeline
{
    /// <summary>What is read for it.</summary>
    public static readonly IReadOnlyList<Type> Kinds =
    [
        typeof(PhaseDuration), typeof(RoundCommitted), typeof(Goodput), typeof(WorkGivenAgain), typeof(WorkRecovered), typeof(ResultLost),
    ];

    // What a round of few replicas leaves, with a loss or two.
    private const int ObservationsOfARound = 12;

    // Less is the time that messages take.
    private const double LeastLostSeconds = 0.05;
    private const int LongestReason = 200;

    /// <summary>How many observations to read for so many rounds.</summary>
    public static int ObservationsOf(int rounds) => ObservationsOfARound * rounds;

    /// <param name="observed">Oldest first.</param>
    /// <param name="nameOf">A node's name for people.</param>
    /// <param name="most">The newest of them.</param>
    public static JsonObject Of(IReadOnlyList<StoredObservation> observed, Func<NodeId, string> nameOf, int most)
    {
        var rounds = observed.Where(o => o.What is not null).GroupBy(o => RoundOf(o.What!)).Where(r => r.Key is not null)
            .OrderBy(r => r.Key).ToList();
        // Where more was stored than was read, the oldest round is not whole.
        if (observed.Count >= ObservationsOf(most) && rounds.Count > 1)
            rounds.RemoveAt(0);
        var shown = rounds.TakeLast(most).ToList();
        var all = shown.SelectMany(r => r).Select(o => o.What).OfType<Goodput>().ToList();
        return new JsonObject
        {
            ["rounds"] = new JsonArray([.. shown.Select(r => Round(r.Key!.Value, [.. r], nameOf))]),
            ["goodput"] = Json(all.Sum(g => g.CountedSeconds), all.Sum(g => g.SpentSeconds)),
        };
    }

    private static JsonObject Round(int round, List<StoredObservation> observed, Func<NodeId, string> nameOf)
    {
        var phases = observed.Where(o => o.What is PhaseDuration { Phase: not (RunPhase.Stopped or RunPhase.Finished) })
            .Select(o => (Of: (PhaseDuration)o.What!, Ended: o.At)).ToList();
        var committed = observed.LastOrDefault(o => o.What is RoundCommitted);
        // A round that was computed again after a step back has two; the newest is the one in the journal.
        var goodput = observed.Select(o => o.What).OfType<Goodput>().LastOrDefault();
        return new JsonObject
        {
            ["round"] = round,
            ["committed"] = committed is null ? null : Time(committed.At),
            ["tokens"] = (committed?.What as RoundCommitted)?.TokensSeen,
            ["phases"] = new JsonArray([.. phases.Select(p => new JsonObject
            {
                ["phase"] = NameOf(p.Of.Phase),
                ["began"] = Time(p.Ended - TimeSpan.FromSeconds(Math.Clamp(p.Of.Seconds, 0, 1e9))),
                ["seconds"] = Math.Round(p.Of.Seconds, 3),
            })]),
            ["goodput"] = goodput is null ? null : Json(goodput.CountedSeconds, goodput.SpentSeconds),
            ["lost"] = new JsonArray([.. Lost(round, observed, goodput, nameOf).Select(l => JsonValue.Create(l))]),
        };
    }

    /// <summary>What of the round's work did not count, and why, a sentence each.</summary>
    private static IEnumerable<string> Lost(
        int round, List<StoredObservation> observed, Goodput? goodput, Func<NodeId, string> nameOf)
    {
        var recovered = observed.Select(o => o.What).OfType<WorkRecovered>().ToList();
        foreach (var (work, at) in observed.Where(o => o.What is WorkGivenAgain).Select(o => ((WorkGivenAgain)o.What!, o.At)))
        {
            var why = OneLine.Of(work.Why, LongestReason);
            var on = work.Kind == "compute" ? recovered.Find(r => r.Replica == work.Index) : null;
            if (on is not null)
                recovered.Remove(on);
            yield return string.Create(CultureInfo.InvariantCulture, $"round {round}: ")
                + (work.Kind == "compute" ? $"replica {work.Index}" : $"{work.Kind} {work.Index}")
                + $", which node {nameOf(work.Node)} had, was given out again at {at.UtcDateTime:HH:mm:ss}Z ({why})"
                + (on is null ? "" : string.Create(CultureInfo.InvariantCulture,
                    $"; node {nameOf(on.Node)} went on with it {on.Seconds:0.0} s later"));
        }

        foreach (var (result, at) in observed.Where(o => o.What is ResultLost).Select(o => ((ResultLost)o.What!, o.At)))
            yield return string.Create(CultureInfo.InvariantCulture,
                $"round {round}: the result of replica {result.Replica} was lost at {at.UtcDateTime:HH:mm:ss}Z and computed again ")
                + $"({OneLine.Of(result.Why, LongestReason)})";

        if (goodput is { SpentSeconds: > 0 } && goodput.SpentSeconds - goodput.CountedSeconds is > LeastLostSeconds and var lost)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"round {round}: {lost:0.0} s of {goodput.SpentSeconds:0.0} s that nodes computed are in no committed version");
    }

    private static JsonObject Json(double counted, double spent) => new()
    {
        ["countedSeconds"] = Math.Round(counted, 3),
        ["spentSeconds"] = Math.Round(spent, 3),
        ["ratio"] = spent > 0 ? Math.Round(counted / spent, 4) : null,
    };

    private static int? RoundOf(Observation what) => what switch
    {
        PhaseDuration phase => phase.Round,
        RoundCommitted committed => committed.Round,
        Goodput goodput => goodput.Round,
        WorkGivenAgain work => work.Number,
        WorkRecovered recovered => recovered.Round,
        ResultLost lost => lost.Round,
        _ => null,
    };

    // The words of the dashboard; a phase's own name stands in the observation.
    private static string NameOf(RunPhase phase) => phase.ToString().ToLowerInvariant();

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
