using System.Collections.Frozen;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Which special tokens a text gets, and a pair of texts: what a post-processor says. Immutable.</summary>
internal sealed class SpecialTokenTemplate
{
    // A part is tokens, or null and the number of a text.
    private readonly (int[]? Tokens, int Text, int Segment)[] _single, _pair;

    private SpecialTokenTemplate((int[]?, int, int)[] single, (int[]?, int, int)[] pair) => (_single, _pair) = (single, pair);

    /// <summary>No special tokens: a text alone, and two in a row.</summary>
    public static SpecialTokenTemplate None { get; } = new([(null, 0, 0)], [(null, 0, 0), (null, 1, 1)]);

    private static readonly FrozenDictionary<string, Func<JsonPart, SpecialTokenTemplate>> Known =
        new Dictionary<string, Func<JsonPart, SpecialTokenTemplate>>
        {
            ["TemplateProcessing"] = Template,
            ["BertProcessing"] = part => Bert(part, false),
            ["RobertaProcessing"] = part => Bert(part, true),
            ["ByteLevel"] = _ => None,                                  // concerns offsets only
            ["Sequence"] = Sequence,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <exception cref="ElasticException">It is not known, or what it says cannot be.</exception>
    public static SpecialTokenTemplate Of(JsonPart part) => part.Make(Known);

    /// <summary>The largest number of a token that it names; -1 where it names none.</summary>
    public int LargestToken => _single.Concat(_pair).SelectMany(p => p.Tokens ?? []).DefaultIfEmpty(-1).Max();

    /// <summary>Puts the tokens of one text, or of two, in their places.</summary>
    public (List<int> Tokens, List<int> Segments) Fill(IReadOnlyList<int> first, IReadOnlyList<int>? second)
    {
        var (tokens, segments) = (new List<int>(), new List<int>());
        foreach (var part in second is null ? _single : _pair)
        {
            tokens.AddRange(part.Tokens ?? (part.Text == 0 ? first : second!));
            while (segments.Count < tokens.Count)
                segments.Add(part.Segment);
        }
        return (tokens, segments);
    }

    private static SpecialTokenTemplate Template(JsonPart part)
    {
        var special = new Dictionary<string, int[]>(StringComparer.Ordinal);
        foreach (var (name, token) in part.Need("special_tokens").Properties())
            special[name] = [.. token.Need("ids").Items().Select(AsToken)];
        return new SpecialTokenTemplate(
            [.. part.Need("single").Items().Select(Part)], [.. part.Need("pair").Items().Select(Part)]) is var template
            && !Array.Exists(template._single, p => p.Tokens is null && p.Text == 1)
            ? template : throw part.Wrong("has a second text in its template for one");

        (int[]?, int, int) Part(JsonPart item)
        {
            if (item.Find("Sequence") is { } text)
                return (null, text.Text("id") switch { "A" => 0, "B" => 1, _ => throw text.Wrong("is neither A nor B") }, Segment(text));
            var token = item.Need("SpecialToken");
            return special.TryGetValue(token.Text("id"), out var tokens)
                ? (tokens, 0, Segment(token))
                : throw token.Wrong($"names \"{OneLine.Of(token.Text("id"), 60)}\", which special_tokens lacks");
        }

        static int Segment(JsonPart item) => item.Find("type_id") is { } id ? id.AsNumber(0, byte.MaxValue) : 0;
    }

    private static SpecialTokenTemplate Bert(JsonPart part, bool isRoberta)
    {
        var (begin, end) = (Token("cls"), Token("sep"));
        var second = isRoberta ? 0 : 1;
        return new SpecialTokenTemplate(
            [(begin, 0, 0), (null, 0, 0), (end, 0, 0)],
            [(begin, 0, 0), (null, 0, 0), (end, 0, 0), .. isRoberta ? [(end, 0, 0)]
                : Array.Empty<(int[]?, int, int)>(), (null, 1, second), (end, 0, second)]);

        int[] Token(string name) => part.Need(name).Items().ToArray() is [_, var number]
            ? [AsToken(number)] : throw part.Wrong($"has a {name} that is no pair of a token and its number");
    }

    private static int AsToken(JsonPart part) => part.AsNumber(0, Messages.Settings.ModelSettings.MostVocabulary - 1);

    // Several steps, of which one may add tokens.
    private static SpecialTokenTemplate Sequence(JsonPart part)
    {
        SpecialTokenTemplate[] adding = [.. part.Need("processors").Items().Select(Of).Where(t => t != None)];
        return adding switch
        {
            [] => None,
            [var one] => one,
            _ => throw part.Wrong("has several steps that add special tokens: one is read"),
        };
    }
}
