using Elastic.Messages.Nodes;

namespace Elastic.Coordination;

/// <summary>Puts commands together that came in several messages. One whose parts do not all come is asked for again by its sender.</summary>
public sealed class MessageParts
{
    private readonly Dictionary<(Type, string), NodeCommand?[]> _incomplete = [];

    /// <summary>The whole command when this was its last part, or all of it; null while parts are lacking.</summary>
    public NodeCommand? Join(NodeCommand command) => command switch
    {
        NodeCommand.Assemble { Part: { Of: > 1 } part } c =>
            Add(command, part) is { } all ? c with { Chunks = [.. all.Cast<NodeCommand.Assemble>().SelectMany(p => p.Chunks)], Part = new Part(0, 1) } : null,
        NodeCommand.Retain { Part: { Of: > 1 } part } c =>
            Add(command, part) is { } all ? c with { Sets = [.. all.Cast<NodeCommand.Retain>().SelectMany(p => p.Sets)], Part = new Part(0, 1) } : null,
        _ => command,
    };

    // A part with index 0 begins anew: parts of two orders must not be mixed.
    private NodeCommand[]? Add(NodeCommand command, Part part)
    {
        var key = (command.GetType(), command.RunId.Value);
        if (part.Index == 0)
            _incomplete[key] = new NodeCommand?[part.Of];
        if (!_incomplete.TryGetValue(key, out var parts) || parts.Length != part.Of)
            return null;
        parts[part.Index] = command;
        if (parts.Contains(null))
            return null;
        _incomplete.Remove(key);
        return parts!;
    }
}
