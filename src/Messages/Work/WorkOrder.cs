using Elastic.Foundation;

namespace Elastic.Messages.Work;

/// <summary>
/// What is to be done; each kind of work has a type of its own (Coordination/Work). It is a function of the run's state, so that the same
/// work has the same content from every supervisor.
/// </summary>
public abstract record WorkContent : IWireMessage;

/// <summary>
/// A piece of work for one node. Answered by a <see cref="WorkResult"/>, which the node repeats until it is acknowledged.
/// </summary>
public sealed record WorkOrder : ISaidBySeed
{
    public required JobId Job { get; init; }

    public required OrderId Id { get; init; }

    public required WorkKey Key { get; init; }

    /// <summary>The version that the work starts from; null before there is one. Repeated by the answer.</summary>
    public required Digest? From { get; init; }

    /// <summary>Data planes ("host:port") of nodes that have what the work needs.</summary>
    public required string[] Sources { get; init; }

    /// <summary>One of several messages, where all of it together would be too large for the control plane.</summary>
    public required Part Part { get; init; }

    public required WorkContent Content { get; init; }
}

/// <summary>A message that is one of several, because all together would be too large for the control plane.</summary>
/// <param name="Index">From 0.</param>
public readonly record struct Part(int Index, int Of) : IWireMessage
{
    /// <summary>The whole in one message.</summary>
    public static readonly Part Whole = new(0, 1);

    /// <summary>Digests that a message may carry: with their markup they stay well below 64 KiB.</summary>
    public const int MostDigests = 400;

    /// <summary>Characters of a canonical text that a message may carry; it is ASCII, so they are as many bytes.</summary>
    public const int MostCharacters = 32_000;

    /// <summary>Cuts a text into parts; an empty text is one empty part.</summary>
    public static IEnumerable<(string Text, Part Part)> Cut(string text, int most = MostCharacters)
    {
        ArgumentNullException.ThrowIfNull(text);
        var count = Math.Max(1, (text.Length + most - 1) / most);
        return Enumerable.Range(0, count)
            .Select(i => (text.Substring(i * most, Math.Min(most, text.Length - i * most)), new Part(i, count)));
    }

    /// <summary>Cuts a list into parts; an empty list is one empty part.</summary>
    public static IEnumerable<(T[] Items, Part Part)> Cut<T>(IReadOnlyList<T> items, int most)
    {
        var count = Math.Max(1, (items.Count + most - 1) / most);
        return Enumerable.Range(0, count).Select(i => (items.Skip(i * most).Take(most).ToArray(), new Part(i, count)));
    }
}
