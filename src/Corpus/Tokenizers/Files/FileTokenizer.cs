using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The tokenizer that a <c>tokenizer.json</c> describes (Hugging Face's format): added tokens, a normalizer, a pre-tokenizer, a model
/// (BPE, WordPiece, Unigram), special tokens around texts, and a decoder. Text becomes the tokens that the library of that format makes.
/// </summary>
public sealed class FileTokenizer : Tokenizer
{
    /// <summary>The largest file that is read. Published ones have up to 35 MB.</summary>
    public const int LargestFile = 256 << 20;

    private readonly Dictionary<int, AddedToken> _added = [];
    private readonly Dictionary<string, int> _special = new(StringComparer.Ordinal);
    private readonly AddedTokenSearch _inText, _inNormalized;
    private readonly Normalize? _normalizer;
    private readonly PreTokenizer[] _cuts;
    private readonly bool _readsBytes;
    private readonly TokenModel _model;
    private readonly SpecialTokenTemplate _template;
    private readonly DecodeTokens? _decoder;
    private readonly string?[] _textOf;
    private readonly ConcurrentBag<WordCache> _caches = [];

    private FileTokenizer(JsonPart root, TokenizerFile source)
    {
        Source = source;
        AddedToken[] added = [.. root.Find("added_tokens")?.Items().Select(AddedToken.Of) ?? []];
        foreach (var token in added)
            if (!_added.TryAdd(token.Number, token))
                throw root.Wrong($"has two added tokens with the number {token.Number}");
        foreach (var token in added.Where(t => t.IsSpecial))
            _special.TryAdd(token.Content, token.Number);
        var special = added.Where(t => t.IsSpecial).Select(t => t.Number).ToHashSet();
        _normalizer = root.Find("normalizer") is { } normalizer ? Normalizers.Of(normalizer) : null;
        _cuts = root.Find("pre_tokenizer") is { } cut ? PreTokenizers.Of(cut) : [];
        _readsBytes = _cuts is [.., var last] && last == ByteAlphabet.Marker;
        if (_readsBytes)
            _cuts = _cuts[..^1];
        _model = ModelOf(root.Need("model"), special);
        _template = root.Find("post_processor") is { } template ? SpecialTokenTemplate.Of(template) : SpecialTokenTemplate.None;
        _decoder = root.Find("decoder") is { } decoder ? TokenDecoders.Of(decoder) : null;
        _textOf = Texts(root, added);
        _inText = new AddedTokenSearch(added.Where(t => !t.IsNormalized).Select(t => (t.Content, t)));
        _inNormalized = new AddedTokenSearch(added.Where(t => t.IsNormalized)
            .Select(t => (_normalizer?.Invoke(t.Content) ?? t.Content, t)));
        MaskToken = Array.Find(added, t => t.IsSpecial && t.Content is "[MASK]" or "<mask>")?.Number;
        EndOfText = source.EndOfText;
        if (EndOfText >= _textOf.Length || _textOf[EndOfText] is null)
            throw root.Wrong($"has no token {EndOfText}, which is to end each document");
        if (_template.LargestToken >= VocabularySize)
            throw root.Wrong($"adds the token {_template.LargestToken} to texts, and has {VocabularySize} tokens");
    }

    /// <summary>The file, and what was found beside it.</summary>
    public TokenizerFile Source { get; }

    /// <inheritdoc/>
    public override string Id => Source.Id;

    /// <inheritdoc/>
    public override int VocabularySize => _textOf.Length;

    /// <inheritdoc/>
    public override int EndOfText { get; }

    /// <summary>The special token that stands for a hidden one; null where there is none.</summary>
    public int? MaskToken { get; }

    /// <exception cref="ElasticException">The file is none, or says what is not known or cannot be; the message names the
    /// place.</exception>
    public static FileTokenizer Open(TokenizerFile source)
    {
        ArgumentNullException.ThrowIfNull(source);
        using var document = TokenizerFile.Parse(source.Json, source.Path);
        return new FileTokenizer(new JsonPart(document.RootElement, "", source.Path), source);
    }

    /// <inheritdoc/>
    /// <remarks>Text that looks like a special token is ordinary text.</remarks>
    public override void Encode(string text, List<int> into, CancellationToken cancel = default) =>
        Encode(text, into, skipsSpecial: true, cancel);

    /// <summary>
    /// The tokens of one text, or of two, with the special tokens that the file puts around them; text that looks like a special token is
    /// that token. This is what encoder models read.
    /// </summary>
    /// <returns>Tokens, and for each the number of the segment that it belongs to.</returns>
    public (List<int> Tokens, List<int> Segments) EncodeWithSpecialTokens(string first, string? second = null)
    {
        var (a, b) = (new List<int>(), second is null ? null : new List<int>());
        Encode(first, a, skipsSpecial: false);
        if (b is not null)
            Encode(second!, b, skipsSpecial: false);
        return _template.Fill(a, b);
    }

    /// <inheritdoc/>
    /// <remarks>Special tokens are left out.</remarks>
    public override string Decode(ReadOnlySpan<int> tokens)
    {
        var texts = new List<string>(tokens.Length);
        foreach (var token in tokens)
            if (TextOf(token) is { } text && !IsSpecial(token))
                texts.Add(text);
        return _decoder is null ? string.Join(' ', texts) : string.Concat(_decoder(texts));
    }

    /// <inheritdoc/>
    /// <remarks>Of its text as it stands between other tokens. A tokenizer that changes text has other sums than the text itself.</remarks>
    public override int ByteCount(int token)
    {
        if (TextOf(token) is not { } text || IsSpecial(token))
            return 0;
        if (_readsBytes && !_added.ContainsKey(token))
            return ByteAlphabet.BytesOf(text).Length;
        if (TokenDecoders.ByteOf(text) is not null)
            return 1;
        // Behind another token, so that what only the beginning of a text loses is counted.
        var pair = _decoder is null ? $" {text}" : string.Concat(_decoder([Neighbour, text]));
        var alone = _decoder is null ? "" : string.Concat(_decoder([Neighbour]));
        return Encoding.UTF8.GetByteCount(pair) - Encoding.UTF8.GetByteCount(alone);
    }

    /// <inheritdoc/>
    public override int? SpecialToken(string text) => _special.TryGetValue(text, out var token) ? token : null;

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> SpecialTokens => _special.Keys;

    /// <inheritdoc/>
    public override bool MarksWords => _model.ContinuationMark.Length > 0;

    /// <inheritdoc/>
    /// <remarks>An added token stands for itself, whatever its text.</remarks>
    public override bool Continues(int token) => MarksWords && !_added.ContainsKey(token)
        && TextOf(token) is { } text && text.Length > _model.ContinuationMark.Length
        && text.StartsWith(_model.ContinuationMark, StringComparison.Ordinal);

    private const string Neighbour = "a";

    private bool IsSpecial(int token) => token == EndOfText || (_added.TryGetValue(token, out var added) && added.IsSpecial);

    internal string? TextOf(int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(token, _textOf.Length);
        return _textOf[token];
    }

    private void Encode(string text, List<int> into, bool skipsSpecial, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(into);
        text = CodePoints.WithoutLoneSurrogates(text);
        if (!_caches.TryTake(out var cache))
            cache = new WordCache();
        var (pieces, parts) = (new List<Piece>(), new List<Piece>());
        foreach (var (found, start, end) in _inText.Split(text, skipsSpecial))
        {
            if (found is not null)
            {
                into.Add(found.Number);
                continue;
            }
            var rest = text[start..end];
            rest = _normalizer?.Invoke(rest) ?? rest;
            foreach (var (normalized, from, to) in _inNormalized.Split(rest, skipsSpecial))
            {
                if (normalized is not null)
                {
                    into.Add(normalized.Number);
                    continue;
                }
                pieces.Clear();
                pieces.Add(new Piece(rest, from, to - from, start == 0 && from == 0));
                foreach (var cut in _cuts)
                {
                    parts.Clear();
                    foreach (var piece in pieces)
                        cut.Cut(piece, parts);
                    (pieces, parts) = (parts, pieces);
                }
                foreach (var (number, piece) in pieces.Index())
                {
                    StopSignal.Look(number, cancel);
                    EncodeWord(piece.Span, into, cache);
                }
            }
        }
        _caches.Add(cache);
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> into, WordCache cache)
    {
        if (word.IsEmpty)
            return;
        var known = cache.Find(word, out var slot);
        if (!known.IsEmpty)
        {
            into.AddRange(known);
            return;
        }
        var before = into.Count;
        if (_readsBytes)
        {
            const int OnStack = 256;
            Span<char> characters = word.Length * 3 <= OnStack ? stackalloc char[OnStack] : new char[checked(word.Length * 3)];
            _model.Encode(characters[..ByteAlphabet.Write(word, characters)], into);
        }
        else
            _model.Encode(word, into);
        if (into.Count > before)
            cache.Store(slot, word, CollectionsMarshal.AsSpan(into)[before..]);
    }

    private static TokenModel ModelOf(JsonPart part, HashSet<int> special)
    {
        var type = part.FindText("type") ?? (part.Find("merges") is not null ? "BPE" : "");
        return type switch
        {
            "BPE" => new BpeModel(part, special),
            "WordPiece" => new WordPieceModel(part, special),
            "Unigram" => new UnigramModel(part, special),
            _ => throw part.Wrong($"is a {OneLine.Of(type, 60)}, which is not known: known are BPE, Unigram, WordPiece"),
        };
    }

    private string?[] Texts(JsonPart root, AddedToken[] added)
    {
        var most = _model.Vocabulary.Values.Concat(added.Select(t => t.Number)).DefaultIfEmpty(-1).Max();
        if (most < 0)
            throw root.Wrong("has no tokens");
        var texts = new string?[most + 1];
        foreach (var (text, token) in _model.Vocabulary)
            texts[token] = text;
        foreach (var token in added)
        {
            if (_model.Vocabulary.TryGetValue(token.Content, out var number) && number != token.Number)
                throw root.Wrong(
                    $"has the added token \"{OneLine.Of(token.Content, 60)}\" as {token.Number}, and its model has it as {number}");
            texts[token.Number] = token.Content;
        }
        return texts;
    }
}
