using System.Collections.Frozen;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>The pre-tokenizers that a tokenizer file may name.</summary>
internal static class PreTokenizers
{
    // GPT-2's expression, for which there is a faster way than a general matcher.
    private const string Gpt2Expression = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly FrozenDictionary<string, Func<JsonPart, IEnumerable<PreTokenizer>>> Known =
        new Dictionary<string, Func<JsonPart, IEnumerable<PreTokenizer>>>
        {
            ["Sequence"] = part => [.. part.Need("pretokenizers").Items().SelectMany(Of)],
            ["ByteLevel"] = ByteLevel,
            ["Split"] = part => [Split(part)],
            ["Whitespace"] = _ => [new Splitter(Splitter.WordsAndSymbols, SplitBehavior.Removed, isInverted: true)],
            ["WhitespaceSplit"] = _ => [new Splitter(Splitter.Each(c => CodePoints.IsWhiteSpace(c)), SplitBehavior.Removed)],
            ["BertPreTokenizer"] = _ =>
            [
                new Splitter(Splitter.Each(c => CodePoints.IsWhiteSpace(c)), SplitBehavior.Removed),
                new Splitter(Splitter.Each(CodePoints.IsPunctuation), SplitBehavior.Isolated),
            ],
            ["Punctuation"] = part => [new Splitter(Splitter.Each(CodePoints.IsPunctuation), Behavior(part, SplitBehavior.Isolated))],
            ["Digits"] = part => [new Splitter(
                Splitter.Each(CodePoints.IsNumber),
                part.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
            ["Metaspace"] = part => [new Metaspace(part)],
            ["CharDelimiterSplit"] = part => [new Splitter(Splitter.Of(part.Text("delimiter")), SplitBehavior.Removed)],
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The steps of a pre-tokenizer, in order. <see cref="ByteAlphabet.Marker"/> stands for text as bytes and comes
    /// last.</summary>
    /// <exception cref="ElasticException">It is not known, or what it says cannot be.</exception>
    public static PreTokenizer[] Of(JsonPart part)
    {
        PreTokenizer[] steps = [.. part.Make(Known)];
        return Array.IndexOf(steps, ByteAlphabet.Marker) is var at && at >= 0 && at < steps.Length - 1
            ? throw part.Wrong("has something after ByteLevel, which must be the last step") : steps;
    }

    private static IEnumerable<PreTokenizer> ByteLevel(JsonPart part)
    {
        if (part.Flag("add_prefix_space", true))
            yield return new SpaceBefore();
        if (part.Flag("use_regex", true))
            yield return new Gpt2Cut();
        yield return ByteAlphabet.Marker;
    }

    private static PreTokenizer Split(JsonPart part)
    {
        var (behavior, isInverted, pattern) = (Behavior(part, null), part.Flag("invert", false), part.Need("pattern"));
        if (pattern.FindText("String") is { } text)
            return new Splitter(Splitter.Of(text), behavior, isInverted);
        var expression = pattern.Text("Regex");
        return expression == Gpt2Expression && behavior == SplitBehavior.Isolated
            ? new Gpt2Cut() : new Splitter(new Pattern(expression).Find, behavior, isInverted);
    }

    private static SplitBehavior Behavior(JsonPart part, SplitBehavior? otherwise) => part.FindText("behavior") switch
    {
        null when otherwise is { } behavior => behavior,
        { } name when Enum.TryParse<SplitBehavior>(name, out var known) && Enum.IsDefined(known) && !char.IsAsciiDigit(name[0]) => known,
        _ => throw part.Wrong($"has a behavior that is none of {string.Join(", ", Enum.GetNames<SplitBehavior>())}"),
    };

    // See Gpt2Words.
    private sealed class Gpt2Cut : PreTokenizer
    {
        public override void Cut(Piece piece, List<Piece> into)
        {
            var text = piece.Span;
            for (int start = 0, end; start < text.Length; start = end)
            {
                end = Gpt2Words.EndOfWord(text, start);
                into.Add(piece.Slice(start, end - start));
            }
        }
    }

    private sealed class SpaceBefore : PreTokenizer
    {
        public override void Cut(Piece piece, List<Piece> into) => into.Add(LeadingSpace.Of(piece));
    }

    // SentencePiece's way: spaces become a visible character, and words begin with it.
    private sealed class Metaspace : PreTokenizer
    {
        private readonly string _mark;
        private readonly string _scheme;
        private readonly Splitter? _splitter;

        public Metaspace(JsonPart part)
        {
            _mark = part.FindText("replacement") ?? "\u2581";
            _scheme = SchemeOf(part);
            if (part.Flag("split", true))
                _splitter = new Splitter(Splitter.Of(_mark), SplitBehavior.MergedWithNext);
        }

        public override void Cut(Piece piece, List<Piece> into)
        {
            var text = piece.Span.ToString().Replace(" ", _mark, StringComparison.Ordinal);
            if ((_scheme == "always" || (_scheme == "first" && piece.IsFirst)) && !text.StartsWith(_mark, StringComparison.Ordinal))
                text = _mark + text;
            if (_splitter is null)
                into.Add(piece.With(text));
            else
                _splitter.Cut(piece.With(text), into);
        }
    }

    /// <summary>When a word at the beginning gets Metaspace's mark: "always", "first" or "never". Older files say
    /// add_prefix_space.</summary>
    internal static string SchemeOf(JsonPart part) => part.FindText("prepend_scheme") switch
    {
        null => part.Flag("add_prefix_space", true) ? "always" : "never",
        { } scheme and ("always" or "first" or "never") => scheme,
        _ => throw part.Wrong("has a prepend_scheme that is none of always, first and never"),
    };
}
