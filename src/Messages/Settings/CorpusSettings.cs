namespace Elastic.Messages.Settings;

/// <summary>Block <c>corpus</c>: which text, and how it becomes tokens.</summary>
public sealed record CorpusSettings : SettingsGroup
{
    public static CorpusSettings Defaults { get; } = SettingsRecord.DefaultsOf<CorpusSettings>();

    // Not part of the answer: the digest of what they hold is, and is compared instead.
    [Setting("corpus.sources", new string[0], """
        Files and folders of .txt .md .xml .html .jsonl .jsonl.zst .parquet. Empty for the reference documentation of the installed .NET
        SDK: real text that is on every machine that can build Elastic.
        """, PartOfAnswer = false)]
    public required IReadOnlyList<string> Sources { get; init; }

    [Setting("corpus.tokenizer", "byte", """
        byte: 256 bytes and an end of text; needs no vocabulary, and its loss is per byte. gpt2: GPT-2's 50257 pieces.
        """)]
    [OneOf("byte", "gpt2")]
    public required string Tokenizer { get; init; }

    [Setting("corpus.held-out", 0.01,
        "Share of the documents that are never trained on, chosen by the hash of the document, so that it stays held out when the "
        + "corpus grows.")]
    [Between(0, 0.5)]
    public required double HeldOut { get; init; }
}
