using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Joins messages that came in several parts, by their ids: parts of two are never mixed. Where a part is lost, the sender gives all of
/// them again under a new id.
/// </summary>
public sealed class MessageParts
{
    /// <summary>
    /// Thirty megabytes of text, or half a million digests: more than the settings of a run that names hundreds of thousands of files.
    /// Who sends more is not answered.
    /// </summary>
    public const int MostParts = 1024;

    // Parts arrive within moments of each other. Of a message of which one was lost, the rest would be kept for as long as the process
    // lives.
    private const int MostIncomplete = 64;

    // Oldest first.
    private readonly List<(string What, object Id, object?[] Parts)> _incomplete = [];

    /// <summary>The complete order when this was its last part, or all of it; null while parts are missing.</summary>
    public WorkOrder? Join(WorkOrder order)
    {
        ArgumentNullException.ThrowIfNull(order);
        return Join($"{order.Job} {order.Key.Kind} {order.Key.Number} {order.Key.Index}", order.Id, order.Part, order, all =>
            order with { Content = WorkKinds.Of(order.Key).Join([.. all.Select(p => p.Content)]), Part = Part.Whole });
    }

    /// <summary>The complete retention when this was its last part, or all of it; null while parts are missing.</summary>
    public NodeCommand.Retain? Join(NodeCommand.Retain retain)
    {
        ArgumentNullException.ThrowIfNull(retain);
        return Join($"{retain.RunId} retain", retain.Number, retain.Part, retain, all =>
            retain with { Sets = [.. all.SelectMany(p => p.Sets)], Part = Part.Whole });
    }

    /// <summary>The complete command when this was its last part, or all of it; null while parts are missing.</summary>
    public NodeCommand.OpenRun? Join(NodeCommand.OpenRun open)
    {
        ArgumentNullException.ThrowIfNull(open);
        return Join($"{open.RunId} open", open.Number, open.Part, open, all =>
            open with { Settings = string.Concat(all.Select(p => p.Settings)), Part = Part.Whole });
    }

    /// <summary>The complete request when this was its last part, or all of it; null while parts are missing.</summary>
    public RunRequest.Start? Join(RunRequest.Start start)
    {
        ArgumentNullException.ThrowIfNull(start);
        // Two people may start a run of one name at once: their parts are told apart by the requests' ids.
        return Join($"start {start.Origin.Id}", start.Origin.Id, start.Part, start, all =>
            start with { Settings = string.Concat(all.Select(p => p.Settings)), Part = Part.Whole });
    }

    private T? Join<T>(string what, object id, Part part, T message, Func<IReadOnlyList<T>, T> join) where T : class
    {
        if (part.Of <= 1)
            return message;
        if (part.Index < 0 || part.Index >= part.Of || part.Of > MostParts)
            return null;
        var known = _incomplete.Find(m => m.What == what);
        if (known.Parts is null || !known.Id.Equals(id))
        {
            _incomplete.Remove(known);                                 // no more parts of an older id are expected
            known = (what, id, new object?[part.Of]);
            _incomplete.Add(known);
            if (_incomplete.Count > MostIncomplete)
                _incomplete.RemoveAt(0);
        }

        if (part.Of != known.Parts.Length)
            return null;
        known.Parts[part.Index] = message;
        if (known.Parts.Contains(null))
            return null;
        _incomplete.Remove(known);
        return join([.. known.Parts.Cast<T>()]);
    }
}
