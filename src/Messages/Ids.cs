using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Messages;

/// <summary>What people call a run, e.g. "tiny": a label, which a later run may have, too.</summary>
public readonly record struct RunName
{
    internal const int MostCharacters = 64;

    /// <exception cref="ArgumentException">It is empty, too long, or could be a path.</exception>
    public RunName(string value) => Value = Identifier.Checked(value, nameof(RunName), MostCharacters);

    public string Value { get; }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>
/// Names one run among those of the same name: its name and eight characters drawn when it started, e.g. "tiny-3k9v2mq7". Journal keys,
/// orders, folders and checkpoints carry it, so that nothing of an older run enters a newer one of the same name.
/// </summary>
public readonly record struct RunId
{
    private const int MostCharacters = 80;

    /// <exception cref="ArgumentException">It is empty, too long, or could be a path.</exception>
    public RunId(string value) => Value = Identifier.Checked(value, nameof(RunId), MostCharacters);

    public string Value { get; }

    /// <summary>The run's name.</summary>
    public RunName Name => new(NameOf(Value));

    /// <summary>Whether a text is the id of a run, with the name of one.</summary>
    public static bool IsId(string? text) =>
        Identifier.IsValid(text, MostCharacters) && Identifier.IsValid(NameOf(text!), RunName.MostCharacters);

    private static string NameOf(string id) => id.LastIndexOf('-') is var drawn and > 0 ? id[..drawn] : id;

    /// <summary>The job that orders of this run belong to.</summary>
    public JobId Job => new(Value);

    /// <summary>The id of a run that starts now.</summary>
    /// <param name="random">At least <see cref="Identifier.DrawnBytes"/> bytes of chance.</param>
    public static RunId Draw(RunName name, ReadOnlySpan<byte> random) => new($"{name}-{Identifier.Drawn(random)}");

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>What orders belong to: a run, an evaluation over nodes, or the build of a corpus by nodes.</summary>
public readonly record struct JobId
{
    /// <exception cref="ArgumentException">It is empty, too long, or could be a path.</exception>
    public JobId(string value) => Value = Identifier.Checked(value, nameof(JobId), 80);

    public string Value { get; }

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>
/// Names one node: drawn at its first start and kept in its data directory, e.g. "gpu7-3k9v2mq7". The node reports its address when it
/// enlists; the address may change.
/// </summary>
public readonly record struct NodeId
{
    /// <exception cref="ArgumentException">It is empty, too long, or could be a path.</exception>
    public NodeId(string value) => Value = Identifier.Checked(value, nameof(NodeId), 80);

    public string Value { get; }

    /// <summary>The id of a node that starts for the first time.</summary>
    /// <param name="machine">The machine's name, which makes the id readable; characters that an id may not hold are left out.</param>
    /// <param name="random">At least <see cref="Identifier.DrawnBytes"/> bytes of chance.</param>
    public static NodeId Draw(string machine, ReadOnlySpan<byte> random) =>
        new($"{Identifier.Label(machine, "node")}-{Identifier.Drawn(random)}");

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>Names a device of a node, e.g. "cpu:0" or "cuda:3"; or a logical device, a stream of a GPU's, e.g. "cuda:3#1".</summary>
public readonly record struct DeviceId
{
    private const char OfPart = '#';

    /// <exception cref="ArgumentException">It is empty, too long, or could be a path.</exception>
    public DeviceId(string value)
    {
        // What is before the sign is a name as everywhere, and what is behind it a number.
        if (value?.Split(OfPart) is not [var whole, var part] || !IsNumber(part) || !Identifier.IsValid(whole, 32 - part.Length - 1))
            Identifier.Checked(value, nameof(DeviceId), 32);
        Value = value!;
    }

    public string Value { get; }

    /// <summary>The GPU that a logical device is on and whose memory it uses: "cuda:3" for "cuda:3#1"; itself for all others.</summary>
    public DeviceId Whole() => Value.Split(OfPart) is [var whole, _] ? new DeviceId(whole) : this;

    /// <summary>"cuda", 3 and 1 for "cuda:3#1", "cpu", 0 and null for "cpu:0"; null where it has another form.</summary>
    public (string Kind, int Number, int? Part)? Parts => Value.Split(':', OfPart) switch
    {
        [var kind, var number] when IsNumber(number) => (kind, Parse(number), null),
        [var kind, var number, var part] when IsNumber(number) && IsNumber(part) && Value.Contains(OfPart, StringComparison.Ordinal) =>
            (kind, Parse(number), Parse(part)),
        _ => null,
    };

    /// <summary>True for a slot on the processor, false for a GPU.</summary>
    public bool IsCpu => Value.StartsWith("cpu", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Value;

    private static bool IsNumber(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static int Parse(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}

/// <summary>Names a corpus shard within the cluster: the corpus and the shard's place in it.</summary>
public readonly record struct ShardId(Digest Corpus, int Index)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Corpus.Hex}-{Index}";
}

/// <summary>Names an order: the supervisor's term, and a number within it.</summary>
public readonly record struct OrderId(long Term, long Number)
{
    /// <summary>True when this order was given after the other one.</summary>
    public bool IsAfter(OrderId other) => (Term, Number).CompareTo((other.Term, other.Number)) > 0;

    /// <inheritdoc/>
    public override string ToString() => $"{Term}.{Number}";
}
