using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Turns text into tokens and back. Thread-safe: a pool of threads may share one.</summary>
public abstract class Tokenizer
{
    /// <summary>Its name in <c>corpus.tokenizer</c> and in shards.</summary>
    public abstract string Id { get; }

    /// <summary>Number of tokens; the largest is one less.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The token that ends each document. No text encodes to it.</summary>
    public abstract int EndOfText { get; }

    /// <summary>Appends the tokens of <paramref name="text"/>; a lone surrogate counts as U+FFFD.</summary>
    /// <param name="cancel">Looked at within the text, which may be long.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public abstract void Encode(string text, List<int> into, CancellationToken cancel = default);

    /// <summary>The text of <paramref name="tokens"/>; end-of-text is left out, and bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A token is not in the vocabulary.</exception>
    public abstract string Decode(ReadOnlySpan<int> tokens);

    /// <summary>UTF-8 bytes of a token; 0 for end-of-text.</summary>
    public abstract int ByteCount(int token);

    /// <summary>The special token of that text; null where there is none. No text encodes to a special token.</summary>
    public virtual int? SpecialToken(string text) => null;

    /// <summary>The texts of all special tokens.</summary>
    public virtual IReadOnlyCollection<string> SpecialTokens => [];

    /// <summary>Whether pieces that go on with a word are marked: see <see cref="Continues"/>.</summary>
    public virtual bool MarksWords => false;

    /// <summary>True for a piece that goes on with the word of the piece before it, as "##ing" in BERT's vocabularies.</summary>
    public virtual bool Continues(int token) => false;

    /// <summary>All tokenizers that need no file.</summary>
    public static IReadOnlyList<Tokenizer> All => [ByteTokenizer.Instance, Gpt2Tokenizer.Instance];

    /// <summary>Whether a tokenizer is known by its name alone: "byte" or "gpt2".</summary>
    public static bool IsBuiltIn(string name) => name is ByteTokenizer.Name or Gpt2Tokenizer.Name;

    /// <summary>The tokenizer of that name: "byte" or "gpt2".</summary>
    /// <exception cref="ElasticException">There is no such tokenizer.</exception>
    public static Tokenizer Open(string name) => name switch
    {
        ByteTokenizer.Name => ByteTokenizer.Instance,
        Gpt2Tokenizer.Name => Gpt2Tokenizer.Instance,
        _ => throw new ElasticException(
            $"there is no tokenizer \"{OneLine.Of(name, 100)}\": use {ByteTokenizer.Name} or {Gpt2Tokenizer.Name}"),
    };

    /// <summary>The tokenizer of that name, or that of a folder or file: see <see cref="TokenizerFile.Find"/>.</summary>
    /// <exception cref="ElasticException">There is no such tokenizer.</exception>
    public static Tokenizer Find(string nameOrPath) =>
        IsBuiltIn(nameOrPath) ? Open(nameOrPath) : FileTokenizer.Open(TokenizerFile.Find(nameOrPath));

    /// <summary>The tokenizer of that id; one that came from a file is read from the copy in a folder.</summary>
    /// <exception cref="ElasticException">There is no such tokenizer, or the copy is missing or damaged.</exception>
    public static Tokenizer OpenStored(string id, string folder) =>
        TokenizerFile.IsId(id) ? FileTokenizer.Open(TokenizerFile.Stored(folder, id)) : Open(id);
}
