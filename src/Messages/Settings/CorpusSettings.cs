namespace Elastic.Messages.Settings;

/// <summary>Block <c>corpus</c>: which text, and how it becomes tokens.</summary>
public sealed record CorpusSettings : SettingsGroup
{
    public static CorpusSettings Defaults { get; } = SettingsRecord.DefaultsOf<CorpusSettings>();

    // Not part of the answer: the digest of what they hold is, and is compared instead.
    [Setting("corpus.sources", new string[0], """
        Files and folders of .txt .md .xml .html .jsonl .jsonl.gz .jsonl.zst .tsv .parquet. Empty for the reference documentation of the
        installed .NET SDK: real text that is on every machine that can build Elastic.
        """, PartOfAnswer = false)]
    public required IReadOnlyList<string> Sources { get; init; }

    [Setting("corpus.validation", new string[0], """
        Files and folders, as in corpus.sources, whose text is held out as a whole: the validation set that comes with a collection. A file
        that is in both is not trained on. Nothing else is held out then, and corpus.held-out counts for nothing.
        """, PartOfAnswer = false)]
    [Since(4, new string[0])]
    public required IReadOnlyList<string> Validation { get; init; }

    // Not part of the answer either: what they choose is in the digest of the corpus.
    [Setting("corpus.include", new string[0], """
        Patterns, e.g. *.txt, of the files to read from the folders of corpus.sources; empty for every file that can be read. A pattern with
        a / is compared with the whole name inside the folder, any other with the last part of it. Files that corpus.sources names by
        themselves are always read.
        """, PartOfAnswer = false)]
    [Since(3, new string[0])]
    public required IReadOnlyList<string> Include { get; init; }

    [Setting("corpus.exclude", new string[0], """
        Patterns of the files and folders to leave out, as in corpus.include: drafts, a folder that may not be read, a file that is damaged.
        None of them is opened.
        """, PartOfAnswer = false)]
    [Since(3, new string[0])]
    public required IReadOnlyList<string> Exclude { get; init; }

    [Setting("corpus.text-field", "text", """
        The field of a .jsonl record, or the column of a .parquet file, that holds the text. "text" is what most collections use; others say
        content or body.
        """, PartOfAnswer = false)]
    [NotEmpty("name the field that holds the text, e.g. text"), Since(3, "text")]
    public required string TextField { get; init; }

    [Setting("corpus.answer-field", null, """
        Fine-tuning: the field of a .jsonl record with the answer to the prompt in corpus.text-field. The model reads the prompt and is
        scored on the answer and the end of text alone. The two are joined as they stand: most answers want a space or a line's end before
        them. A transformer reads the prompt with its encoder and writes the answer with its decoder. null where all text is scored. A .tsv
        has no names: its lines are prompt, tab, answer, whatever the field is called here.
        """, PartOfAnswer = false)]
    [NotEmpty("name the field that holds the answer, or leave it null"), Since(4, null)]
    public required string? AnswerField { get; init; }

    [Setting("corpus.chat-template", ChatTemplate.None, """
        Fine-tuning on conversations: how .jsonl records {"messages": [{"role": "user", "content": "…"}, …]} are written down. The model
        reads all messages, and is scored on what the assistant says and on what ends it. chatml: each between the marks im_start and
        im_end, as Qwen has it. llama3: each behind a header, with the mark eot_id at its end, as Llama 3 has it. Marks are the tokenizer's
        special tokens where it has them, else text. plain: "User: …", a line's end, "Assistant: …" and an end of text, for tokenizers
        without marks. tokenizer: by the template (Jinja) that is in the folder of corpus.tokenizer. none: records are no conversations.
        """, PartOfAnswer = false)]
    [Since(5, ChatTemplate.None)]
    public required ChatTemplate ChatTemplate { get; init; }

    [Setting("corpus.encoding", "utf-8", """
        The encoding of .txt, .md, .jsonl and .tsv files; a byte order mark in a file counts more, and with utf-8 also the zero bytes of
        UTF-16 without one. XML and HTML say themselves what they are in. What is not valid in it becomes U+FFFD and is counted, by file.
        """, PartOfAnswer = false)]
    [OneOf(
        "utf-8", "utf-16le", "utf-16be", "latin-1", "windows-1250", "windows-1251", "windows-1252", "koi8-r", "shift_jis", "euc-jp",
        "euc-kr", "gb18030", "big5")]
    [Since(3, "utf-8")]
    public required string Encoding { get; init; }

    // A run's settings hold the id of a tokenizer from a file, json-<digest>-<end of text>: its place is no part of the answer.
    [Setting("corpus.tokenizer", "byte", """
        byte: 256 bytes and an end of text; needs no vocabulary, and its loss is per byte. gpt2: GPT-2's 50257 pieces. A path: the folder
        of a tokenizer in Hugging Face's format, its tokenizer.json, its vocab.json with merges.txt, or BERT's vocab.txt. A folder that is
        called gpt2 is ./gpt2. The corpus keeps a copy of the tokenizer, which is known by its bytes: where it lies does not count.
        """, IsNameOrPath = true)]
    [Matches(@"byte|gpt2|json-[0-9a-f]{32}-[0-9]{1,8}|/.+|\\.+|[A-Za-z]:[\\/].+", "byte, gpt2 or the path of a tokenizer's folder or file")]
    public required string Tokenizer { get; init; }

    [Setting("corpus.samples", SampleKind.Blocks, """
        blocks: documents one after the other, cut every corpus.sample-tokens tokens, as large models are trained. packed: the same
        blocks, in which no token sees another document than its own. documents: one document a sample, cut or filled up to as many
        tokens, as models are fine-tuned; what fills up is never scored. pairs: one prompt and its answer a sample. model.architecture =
        transformer reads them as source and target, each cut or filled up likewise, and bert as two sentences in one context.
        """)]
    [Since(4, SampleKind.Blocks)]
    public required SampleKind Samples { get; init; }

    [Setting("corpus.sample-tokens", 0, """
        Tokens of a sample, at most model.context; 0 for all of it. Fewer where a model with a long context is fine-tuned on short texts:
        time and memory grow with each token of a sample, also with what only fills it up. What the model can read stays as it is. For a
        transformer, of the source and of the target each.
        """)]
    [AtLeast(0, Zero = "model.context"), Since(7, 0)]
    public required int SampleTokens { get; init; }

    [Setting("corpus.whole-words", false, """
        bert: hides all pieces of a word or none, as the authors' later models were trained: what is left of a word tells too much of it.
        Which pieces go on with a word the tokenizer marks, with ## in BERT's vocabularies; others are refused.
        """)]
    [Since(5, false)]
    public required bool WholeWords { get; init; }

    [Setting("corpus.mixture", new string[0], """
        How often each source is read in an epoch, e.g. [wikipedia=3, books=1.5]; what is not named is read once, and 0 leaves a source out.
        No sample mixes sources then. Of a fraction some samples are read once more than the others of their source, and the next epoch goes
        on with those. With corpus.order = stream each shard of a source is read so often, and the mixture does not change in mid-run.
        Empty: the weights of the manifest where the text comes from a build that has them, else every source once.
        """)]
    [Mixture, Since(5, new string[0]), MayChange]
    public required IReadOnlyList<string> Mixture { get; init; }

    [Setting("corpus.order", CorpusOrder.Shuffle, """
        shuffle: the samples of the whole corpus are read in one shuffled order, so that training begins when the corpus is built. stream:
        one window of corpus.stream-window shards after the other, the samples of each shuffled among themselves. A run of run.rounds then
        begins when the first window is built, waits where the build is slower than the training, and ends in the weights of one that
        began after the build. Versions are scored once the build has ended. With a mixture all sources are made into tokens at once, so
        that each window has its share of each.
        """)]
    [Since(5, CorpusOrder.Shuffle)]
    public required CorpusOrder Order { get; init; }

    [Setting("corpus.stream-window", 8, """
        corpus.order = stream: shards of a window, each of 16 Mi tokens. With more of them samples are shuffled better, and the first round
        begins later. With as many as the corpus has, all of it is shuffled.
        """)]
    [Between(1, 256), Since(5, 8)]
    public required int StreamWindow { get; init; }

    [Setting("corpus.held-out", 0.01,
        "Share of the documents that are never trained on, chosen by the hash of the document, so that it stays held out when the "
        + "corpus grows.")]
    [Between(0, 0.5)]
    public required double HeldOut { get; init; }

    /// <summary>More is said of some tokens than which they are: they are not scored, or go on with a word.</summary>
    public bool HasMarks => AnswerField is not null || ChatTemplate != ChatTemplate.None || WholeWords;

    protected override IEnumerable<string> ProblemsTogether()
    {
        if (ChatTemplate != ChatTemplate.None && AnswerField is not null)
            yield return $"corpus.answer-field = \"{AnswerField}\" names the answer of a record, and corpus.chat-template = "
                + $"{SettingKind.Word(ChatTemplate)} takes it from its messages: set one of them";
    }

    /// <summary>
    /// A mixture is read while its corpus is built: all sources are made into tokens at once, and shards, each of one source, have the
    /// order in which they are finished.
    /// </summary>
    public bool ReadsInTurn => Order == CorpusOrder.Stream && Mixture.Count > 0;

    /// <summary>Share of the documents of <see cref="Sources"/> that are held out.</summary>
    public double HeldOutShare => Validation.Count > 0 ? 0 : HeldOut;
}
