using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>
/// How the model of a replica is split over devices of a node: "none", "tensor:2", "pipeline:4", "pipeline:2x2" or "tensor:2, pipeline:2".
/// The weights do not depend on it.
/// </summary>
/// <param name="Tensor">Devices that share each layer; 1 for none. A power of two: their parts of a sum fold along a binary tree.</param>
/// <param name="Pipeline">Stages, each on devices of its own; 1 for none.</param>
/// <param name="Chunks">Pieces of consecutive layers that each stage has; more than 1 where it has some here and some further on.</param>
public readonly record struct ReplicaSplit(int Tensor, int Pipeline, int Chunks = 1)
{
    /// <summary>The most of either: no node has more devices to give, and no model that trains here more layers to cut.</summary>
    public const int Most = 64;

    /// <summary>What the text may be, in words.</summary>
    public const string Use = "none, tensor:2 (a power of two from 2 to 64), pipeline:2 (2 to 64 stages), pipeline:2x2 (of 2 pieces each, "
        + "up to 64 in all), or tensor:2, pipeline:2";

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
            [var one] when Ranks(one) is { } tensor => new ReplicaSplit(tensor, 1),
            [var one] when Stages(one) is var (pipeline, chunks) => new ReplicaSplit(1, pipeline, chunks),
            [var first, var second] when Ranks(first) is { } tensor
                && Stages(second.StartsWith(' ') ? second[1..] : second) is var (pipeline, chunks) =>
                new ReplicaSplit(tensor, pipeline, chunks),
            _ => null,
        };
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString()
    {
        var stages = string.Create(CultureInfo.InvariantCulture, $"pipeline:{Pipeline}{(Chunks == 1 ? "" : $"x{Chunks}")}");
        return this switch
        {
            { IsNone: true } => "none",
            { Pipeline: 1 } => string.Create(CultureInfo.InvariantCulture, $"tensor:{Tensor}"),
            { Tensor: 1 } => stages,
            _ => string.Create(CultureInfo.InvariantCulture, $"tensor:{Tensor}, {stages}"),
        };
    }

    // A split over one device is none, and is written so: whoever writes tensor:1 or pipeline:1 expects another number than counts.
    private static int? Ranks(string text) =>
        Count(text, "tensor:") is { } count && count is >= 2 and <= Most && int.IsPow2(count) ? count : null;

    private static (int Stages, int Chunks)? Stages(string text) => text.Split('x') switch
    {
        [var first] when Count(first, "pipeline:") is { } stages and >= 2 and <= Most => (stages, 1),
        [var first, var second] when Count(first, "pipeline:") is { } stages and >= 2 && Count(second, "") is { } chunks and >= 1
            && chunks <= Most / stages => (stages, chunks),
        _ => null,
    };

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
