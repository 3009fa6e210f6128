using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>
/// How the model of a replica is split over devices of a node: "none", "tensor:2", "pipeline:4" or "tensor:2, pipeline:2". The weights do
/// not depend on it.
/// </summary>
/// <param name="Tensor">Devices that share each layer; 1 for none. A power of two: their parts of a sum fold along a binary tree.</param>
/// <param name="Pipeline">Stages, pieces of consecutive layers, each on devices of its own; 1 for none.</param>
public readonly record struct ReplicaSplit(int Tensor, int Pipeline)
{
    /// <summary>The most of either: no node has more devices to give, and no model that trains here more layers to cut.</summary>
    public const int Most = 64;

    /// <summary>What the text may be, in words.</summary>
    public const string Use = "none, tensor:2 (a power of two up to 64) or pipeline:2 (2 to 64 stages)";

    /// <summary>Each device has the whole model.</summary>
    public static ReplicaSplit None { get; } = new(1, 1);

    /// <summary>True where each device has the whole model.</summary>
    public bool IsNone => this == None;

    /// <summary>Devices of a group that has the model once.</summary>
    public int Devices => Tensor * Pipeline;

    /// <summary>The split of a text.</summary>
    /// <exception cref="ElasticException">It is none; says what to write.</exception>
    public static ReplicaSplit Parse(string text) =>
        TryParse(text) ?? throw new ElasticException($"\"{OneLine.Of(text)}\" is no split of a model: use {Use}");

    /// <summary>The split of a text; null for another text.</summary>
    public static ReplicaSplit? TryParse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split(',') switch
        {
            ["none"] => None,
            [var one] when Count(one, "tensor:") is { } tensor => Of(tensor, 1),
            [var one] when Count(one, "pipeline:") is { } pipeline => Of(1, pipeline),
            [var first, var second] when Count(first, "tensor:") is { } tensor
                && Count(second.StartsWith(' ') ? second[1..] : second, "pipeline:") is { } pipeline => Of(tensor, pipeline),
            _ => null,
        };
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => this switch
    {
        { IsNone: true } => "none",
        { Pipeline: 1 } => string.Create(CultureInfo.InvariantCulture, $"tensor:{Tensor}"),
        { Tensor: 1 } => string.Create(CultureInfo.InvariantCulture, $"pipeline:{Pipeline}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"tensor:{Tensor}, pipeline:{Pipeline}"),
    };

    private static ReplicaSplit? Of(int tensor, int pipeline) =>
        int.IsPow2(tensor) && tensor <= Most && pipeline is >= 1 and <= Most ? new ReplicaSplit(tensor, pipeline) : null;

    private static int? Count(string text, string before) =>
        text.StartsWith(before, StringComparison.Ordinal)
        && int.TryParse(text.AsSpan(before.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : null;
}

/// <summary>A split of a model, as <see cref="ReplicaSplit"/> reads it.</summary>
public sealed class SplitAttribute : SettingCheckAttribute
{
    public override bool Allows(object value) => ReplicaSplit.TryParse((string)value) is not null;

    public override string Describe(string kind) => ReplicaSplit.Use;

    protected override string Use(string kind) => ReplicaSplit.Use;
}
