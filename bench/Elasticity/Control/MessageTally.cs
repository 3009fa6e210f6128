using Elastic.Messages.Corpora;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>Messages by kind: how many, how many bytes, and the largest. Thread-safe.</summary>
internal sealed class MessageTally
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(string Way, string Kind), (long Count, long Bytes, int Largest)> _kinds = [];

    public void Note(object message, int bytes)
    {
        lock (_gate)
        {
            var kind = (WayOf(message), KindOf(message));
            var (count, sum, largest) = _kinds.GetValueOrDefault(kind);
            _kinds[kind] = (count + 1, sum + bytes, Math.Max(largest, bytes));
        }
    }

    public void Clear()
    {
        lock (_gate)
            _kinds.Clear();
    }

    /// <param name="rounds">Over which this was counted.</param>
    public void Write(double rounds)
    {
        lock (_gate)
        {
            Console.WriteLine($"  {"",-18}{"",-24}{"a round",10}{"bytes",10}{"largest",10}");
            foreach (var ((way, kind), (count, bytes, largest)) in _kinds)
                Console.WriteLine($"  {way,-18}{kind,-24}{count / rounds,10:F1}{bytes / count,10}{largest,10}");
            var sent = _kinds.Where(k => k.Key.Way != Stored).ToList();
            var (messages, bytesSent) = (sent.Sum(k => k.Value.Count), sent.Sum(k => k.Value.Bytes));
            Console.WriteLine($"  {"messages",-42}{messages / rounds,10:F1}{bytesSent / messages,10}" +
                              $"{sent.Max(k => k.Value.Largest),10}   aim: never above 65536");
        }
    }

    private const string Stored = "to the journal";

    private static string KindOf(object message) => message switch
    {
        WorkOrder order => order.Content.GetType().Name,
        WorkResult result => result.Outcome.GetType().Name,
        _ => message.GetType().Name,
    };

    private static string WayOf(object message) => message switch
    {
        RunEvent => Stored,
        NodeCommand or NodeNews or WorkOrder => "to a node",
        ReadBlocks or BlocksRead or ShardUnreadable => "shard readers",
        RunView or RunWatch or RunRequest or RunReply => "to people",
        _ => "to the supervisor",
    };
}
