using System.Diagnostics;
using System.Globalization;

namespace Elastic.Actors.Work;

/// <summary>What a piece of work on devices does at the moment, for people. The work writes it, and anybody may read it.</summary>
/// <param name="work">The work's name.</param>
internal sealed class WorkActivity(string work)
{
    private volatile Entry _now = new("begins", null, Stopwatch.GetTimestamp());

    /// <summary>It does this from now on.</summary>
    /// <param name="step">Step of the round; null where the activity is no step.</param>
    public void Does(string what, int? step = null) => _now = new Entry(what, step, Stopwatch.GetTimestamp());

    /// <summary>What it does, and for how long already.</summary>
    public override string ToString()
    {
        var now = _now;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{work} {now.What}{(now.Step is { } step ? $" {step}" : "")}, for {Stopwatch.GetElapsedTime(now.Since).TotalSeconds:0.0} s");
    }

    private sealed record Entry(string What, int? Step, long Since);
}
