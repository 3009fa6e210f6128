using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Joins orders and retentions that came in several messages, by their ids: parts of two are never mixed. Where a part is lost, the sender
/// gives all of it again under a new id.
/// </summary>
public sealed class MessageParts
{
    private readonly Dictionary<string, (OrderId Id, object?[] Parts)> _incomplete = [];

    /// <summary>The complete order when this was its last part, or all of it; null while parts are missing.</summary>
    public WorkOrder? Join(WorkOrder order)
    {
        if (order.Part.Of <= 1)
            return order;
        return Add($"{order.Job} {order.Key.Kind} {order.Key.Number} {order.Key.Index}", order.Id, order.Part, order) is { } all
            ? order with { Content = WorkKinds.Of(order.Key).Join([.. all.Cast<WorkOrder>().Select(p => p.Content)]), Part = Part.Whole }
            : null;
    }

    /// <summary>The complete retention when this was its last part, or all of it; null while parts are missing.</summary>
    public NodeCommand.Retain? Join(NodeCommand.Retain retain)
    {
        if (retain.Part.Of <= 1)
            return retain;
        return Add($"{retain.RunId} retain", retain.Number, retain.Part, retain) is { } all
            ? retain with { Sets = [.. all.Cast<NodeCommand.Retain>().SelectMany(p => p.Sets)], Part = Part.Whole }
            : null;
    }

    private object?[]? Add(string what, OrderId id, Part part, object message)
    {
        if (!_incomplete.TryGetValue(what, out var known) || known.Id != id)
            _incomplete[what] = known = (id, new object?[part.Of]);    // no more parts of an older id are expected
        if (part.Index < 0 || part.Index >= known.Parts.Length || part.Of != known.Parts.Length)
            return null;
        known.Parts[part.Index] = message;
        if (known.Parts.Contains(null))
            return null;
        _incomplete.Remove(what);
        return known.Parts;
    }
}
