using System.Text.Json.Serialization;

namespace Elastic.Corpus.Build;

/// <summary>What a build says of one document that it read, whatever became of it: a line of <c>documents</c>, in key order.</summary>
public sealed record BuiltDocument
{
    /// <summary><see cref="Dropped"/> of a document that the manifest's take-downs name.</summary>
    public const string TakenDown = "taken down";

    /// <summary><see cref="Dropped"/> of a document of which the stages left nothing.</summary>
    public const string Emptied = "no text left";

    /// <summary>Its number in key order, from 0.</summary>
    public required long Id { get; init; }

    /// <inheritdoc cref="DocumentFacts(string, string, DocumentFormat)" path="/param[@name='Source']"/>
    public required string Source { get; init; }

    /// <inheritdoc cref="DocumentFacts(string, string, DocumentFormat)" path="/param[@name='Name']"/>
    public required string Name { get; init; }

    /// <inheritdoc cref="DocumentFacts.Subset"/>
    public string? Subset { get; init; }

    /// <inheritdoc cref="DocumentFacts.Date"/>
    public string? Date { get; init; }

    /// <inheritdoc cref="DocumentFacts.Code"/>
    public string? Code { get; init; }

    /// <inheritdoc cref="DocumentFacts.Line"/>
    public long? Line { get; init; }

    /// <inheritdoc cref="DocumentFacts.Url"/>
    public string? Url { get; init; }

    /// <inheritdoc cref="DocumentFacts.Language"/>
    public string? Language { get; init; }

    /// <inheritdoc cref="DocumentFacts.Licence"/>
    public string? Licence { get; init; }

    /// <summary>UTF-8 bytes of its text after all stages.</summary>
    public required int Bytes { get; init; }

    /// <summary>Which part of the corpus a kept one belongs to.</summary>
    public Split Split { get; init; }

    /// <summary>The stage that dropped it, or why there was nothing to decide; null where it was kept.</summary>
    public string? Dropped { get; init; }

    /// <summary>The stage's number in the manifest, from 0; null where no stage dropped it.</summary>
    public int? Stage { get; init; }

    /// <summary>A sentence of that stage.</summary>
    public string? Why { get; init; }

    /// <summary>The document that it was dropped for, or that connects it with the one that was kept; null for none.</summary>
    public long? Match { get; init; }

    /// <summary>How alike the two are, 0 to 1.</summary>
    public double? Similarity { get; init; }

    /// <summary>Documents of its cluster of duplicates, itself included; null for a document alone.</summary>
    public int? Cluster { get; init; }

    /// <summary>Records that its text was cut into; null where it was not cut.</summary>
    public int? Pieces { get; init; }

    /// <summary>UTF-16 characters that were cut out of it; null where it was not cut.</summary>
    public int? Cut { get; init; }

    /// <summary>Numbers of the stages that did not apply to it; null where all did.</summary>
    public IReadOnlyList<int>? Skipped { get; init; }

    /// <summary>What the stages measured, each named after its stage.</summary>
    public required SortedDictionary<string, double> Signals { get; init; }
}

/// <summary>What a document is for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Split>))]
public enum Split
{
    /// <summary>To be trained on.</summary>
    [JsonStringEnumMemberName("train")]
    Train,

    /// <summary>To be scored on while a model is trained.</summary>
    [JsonStringEnumMemberName("validation")]
    Validation,

    /// <summary>To be scored on afterwards.</summary>
    [JsonStringEnumMemberName("test")]
    Test,
}

/// <summary>Text that was kept or dropped: a line of <c>text</c>, <c>validation</c>, <c>test</c> or <c>dropped</c>.</summary>
public sealed record BuiltRecord
{
    /// <summary>The text after all stages.</summary>
    public required string Text { get; init; }

    /// <summary>The source that it counts for.</summary>
    public required string Source { get; init; }

    /// <inheritdoc cref="BuiltDocument.Language"/>
    public string? Language { get; init; }

    /// <summary>The number of the document.</summary>
    public required long Id { get; init; }

    /// <inheritdoc cref="BuiltDocument.Dropped"/>
    public string? Dropped { get; init; }

    /// <inheritdoc cref="BuiltDocument.Why"/>
    public string? Why { get; init; }
}
