using Elastic.Messages.Nodes;

namespace Elastic.Messages.Runs;

/// <summary>What a display asks about a run.</summary>
public abstract record RunWatch(RunName Run) : IWireMessage
{
    /// <summary>Asks for every <see cref="RunView"/> from now on, the newest at once.</summary>
    public sealed record Watch(RunName Run) : RunWatch(Run);

    /// <summary>Asks for the <see cref="RunView"/> of this moment, once.</summary>
    public sealed record Look(RunName Run) : RunWatch(Run);
}

/// <summary>What a person asks about all runs and nodes. The answers come page by page: there may be thousands.</summary>
public abstract record RunsQuery : IWireMessage
{
    /// <summary>Answered by <see cref="RunsAnswer.Names"/>.</summary>
    /// <param name="After">The last name of the page before; null for the first page.</param>
    public sealed record Names(string? After = null) : RunsQuery;

    /// <summary>Answered by <see cref="RunsAnswer.Nodes"/>.</summary>
    /// <param name="After">The last node of the page before; null for the first page.</param>
    public sealed record Nodes(string? After = null) : RunsQuery;
}

/// <summary>A page of the answer to a <see cref="RunsQuery"/>, in the order of names.</summary>
/// <param name="Next">What to ask for the next page with; null on the last one.</param>
public abstract record RunsAnswer(string? Next) : ISaidBySeed
{
    public sealed record Names(RunName[] Runs, string? Next) : RunsAnswer(Next)
    {
        // A name has 64 characters at most.
        private const int Most = 500;

        public static Names Page(IEnumerable<RunName> runs, string? after)
        {
            var (page, next) = Cut(runs, r => r.Value, after, Most);
            return new Names(page, next);
        }
    }

    /// <param name="Supervisor">Address of the process that answers: it supervises.</param>
    public sealed record Nodes(NodeView[] Views, string Supervisor, string? Next) : RunsAnswer(Next)
    {
        // A node takes some hundred bytes for itself and its devices, and a hundred for each of the few pieces of work that are shown.
        private const int Most = 20;

        public static Nodes Page(IEnumerable<NodeView> views, string? after, string supervisor)
        {
            var (page, next) = Cut(views, v => v.Node.Value, after, Most);
            return new Nodes(page, supervisor, next);
        }
    }

    private static (T[] Page, string? Next) Cut<T>(IEnumerable<T> all, Func<T, string> key, string? after, int most)
    {
        var left = all.OrderBy(key, StringComparer.Ordinal).SkipWhile(a => after is not null && string.CompareOrdinal(key(a), after) <= 0)
            .Take(most + 1).ToArray();
        return left.Length <= most ? (left, null) : (left[..most], key(left[most - 1]));
    }
}
