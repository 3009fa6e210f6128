using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Keeps the surveys of a run and its retentions apart. A retention waits behind copies, which take hours over a slow link, and a survey
/// does not: what the survey asks for, and finds whole, must not be freed by a retention that was ordered before it. Thread-safe.
/// </summary>
internal sealed class SurveyedSets
{
    private readonly Lock _gate = new();
    private readonly HashSet<Digest> _sets = [];
    private OrderId _newest;

    /// <summary>A survey begins. Waits for a retention that is at work.</summary>
    /// <param name="sets">What it asks for; another part of the same survey asks for more.</param>
    public void Note(OrderId survey, IEnumerable<Digest> sets)
    {
        lock (_gate)
        {
            if (survey.IsAfter(_newest))
            {
                _newest = survey;
                _sets.Clear();
            }

            if (survey == _newest)
                _sets.UnionWith(sets);
        }
    }

    /// <summary>Does a retention; no survey begins meanwhile.</summary>
    /// <param name="sets">What is to be kept.</param>
    /// <param name="retain">Is given the sets to keep.</param>
    public T Retain<T>(OrderId retention, IReadOnlyCollection<Digest> sets, Func<IEnumerable<Digest>, T> retain)
    {
        lock (_gate)
            return retain(_newest.IsAfter(retention) ? sets.Concat(_sets) : sets);
    }
}
