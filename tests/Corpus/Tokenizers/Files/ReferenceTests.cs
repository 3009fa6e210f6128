using System.Text.Json.Nodes;
using CsCheck;

namespace Elastic.Corpus.Tests;

/// <summary>Tokens and text of every kind of tokenizer file against the library that the format comes from (tokenizers, in Rust).</summary>
public sealed class ReferenceTests
{
    private static readonly string[] Hostile =
    [
        "", " ", "  ", "\n", "\0", "a\0b", "\uFEFF", "\u200D", "<|endoftext|>", "<|endoftext|><|endoftext|>", "a <|endoftext|> b", "</s>",
            "<s>x</s>",
        "[CLS] [MASK]", "x<|eot|>  y", "a +tool b+tool +toolx  +tool", "x[SEP]y", "'S", "'\u017F", "DON'T we'LL", "12345678", "１２３４",
            "½²Ⅷ", "e\u0301", "\u0301", "ﬁ", "İstanbul", "ΑΣ", "ß", "ẞ",
        "中文字", "a中b", "한국어", "👨‍👩‍👧‍👦", "🇩🇪", "\u2028\u2029\u0085", "a\r\nb\r\n\r\nc", "\t\ttabs",
        "          ten spaces", "trailing   ",
        "▁the▁of", " ▁ ", "<0x41>", "\uD800", "\uDC00\uD800", "x\uD83D", "𝐀x𝐀", "\uFFFD", "#!/bin/sh\nrm -rf $HOME/*\n",
            "http://a.b/c?d=e&f=%20",
        new string('a', 5000), new string(' ', 3000), string.Concat(Enumerable.Repeat("é", 700)), new string('!', 1000) + "\n",
    ];

    public static TheoryData<string> Kinds => [.. Makers.Keys];

    // Name -> file, and texts that it is tried with.
    private static Dictionary<string, Func<JsonObject>> Makers { get; } = new()
    {
        ["gpt2"] = () => Samples.File(
            Samples.Gpt2Model(), Samples.ByteLevel(false, true), decoder: Samples.ByteLevel(true, true),
                template: Samples.ByteLevel(true, false),
            added: Samples.Special("<|endoftext|>", 50256, "s")),
        ["gpt2, a space before"] = () => Samples.File(
            Samples.Gpt2Model(), Samples.ByteLevel(true, true), decoder: Samples.ByteLevel(true, true),
            added: Samples.Special("<|endoftext|>", 50256, "s")),
        ["llama 3"] = () => Samples.File(
            Samples.Gpt2Model(takesWholeWords: true), Samples.SplitAndBytes(Samples.Llama3), decoder: Samples.ByteLevel(true, true),
            template: Samples.Node(
                """
                {"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},
                 {"type":"TemplateProcessing","single":[
                     {"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
                  "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
                  "special_tokens":{"<|endoftext|>":{"id":"<|endoftext|>","ids":[50256],"tokens":["<|endoftext|>"]}}}]}
                """),
            added: [Samples.Special("<|endoftext|>", 50256, "s"), Samples.Special("<|eot|>", 50257, "sr"),
                Samples.Special("+tool", 50258, "wln")]),
        ["qwen"] = () => Samples.File(
            Samples.Gpt2Model(), Samples.SplitAndBytes(Samples.Llama3.Replace("{1,3}", "", StringComparison.Ordinal)),
            Samples.Node("""{"type":"NFC"}"""), Samples.ByteLevel(true, true), added: Samples.Special("<|endoftext|>", 50256, "s")),
        ["gpt-4o"] = () => Samples.File(
            Samples.Gpt2Model(), Samples.SplitAndBytes(Samples.Gpt4o), decoder: Samples.ByteLevel(true, true),
            added: Samples.Special("<|endoftext|>", 50256, "s")),
        ["split, inverted"] = () => Samples.File(
            Samples.Gpt2Model(), Samples.SplitAndBytes(Samples.Gpt2Expression, "Removed", isInverted: true),
                decoder: Samples.ByteLevel(true, true),
            added: Samples.Special("<|endoftext|>", 50256, "s")),
        ["llama 2"] = () => Samples.File(
            Samples.SentencePieceBpe(fallsBack: true, fuses: true), null,
            Samples.Sequence("normalizers", Samples.Node("""{"type":"Prepend","prepend":"▁"}"""),
                Samples.Node("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""")),
            Llama2Decoder, Llama2Template, Llama2Added),
        ["llama 2, Metaspace"] = () => Samples.File(
            Samples.SentencePieceBpe(fallsBack: true, fuses: true),
            Samples.Node("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"""), null, Llama2Decoder,
                Llama2Template, Llama2Added),
        ["unknown, fused"] = () => Samples.File(
            Samples.SentencePieceBpe(fallsBack: false, fuses: true),
                Samples.Node("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}"""),
            decoder: Samples.Node("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}"""), added: Llama2Added),
        ["unknown, each"] = () => Samples.File(
            Samples.SentencePieceBpe(fallsBack: false, fuses: false), Samples.Node("""{"type":"WhitespaceSplit"}"""), added: Llama2Added),
        ["bert"] = () => Samples.File(
            Samples.WordPiece(), Samples.Node("""{"type":"BertPreTokenizer"}"""),
            Samples.Node(
                """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"""),
            Samples.Node("""{"type":"WordPiece","prefix":"##","cleanup":true}"""), BertTemplate, BertAdded),
        ["bert, cased"] = () => Samples.File(
            Samples.WordPiece(), Samples.Node("""{"type":"BertPreTokenizer"}"""),
            Samples.Node(
                """{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":false}"""),
            Samples.Node("""{"type":"WordPiece","prefix":"##","cleanup":false}"""),
            Samples.Node("""{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]}"""), BertAdded),
        ["wordpiece, other steps"] = () => Samples.File(
            Samples.WordPiece(),
            Samples.Sequence("pretokenizers", Samples.Node("""{"type":"Whitespace"}"""),
                Samples.Node("""{"type":"Punctuation","behavior":"Contiguous"}"""),
                Samples.Node("""{"type":"Digits","individual_digits":false}""")),
            Samples.Sequence("normalizers", Samples.Node("""{"type":"NFKC"}"""), Samples.Node("""{"type":"Lowercase"}"""),
                Samples.Node("""{"type":"NFD"}"""), Samples.Node("""{"type":"StripAccents"}"""),
                Samples.Node("""{"type":"Strip","strip_left":true,"strip_right":true}"""),
                Samples.Node("""{"type":"Replace","pattern":{"Regex":"x+"},"content":"y"}""")),
            Samples.Node("""{"type":"WordPiece","prefix":"##","cleanup":true}"""),
            Samples.Node(
                """{"type":"RobertaProcessing","sep":["[SEP]",3],"cls":["[CLS]",2],"trim_offsets":true,"add_prefix_space":false}"""),
            BertAdded),
        ["unigram"] = () => Samples.File(
            Samples.Unigram(fallsBack: false),
            Samples.Sequence("pretokenizers", Samples.Node("""{"type":"WhitespaceSplit"}"""),
                Samples.Node("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""")),
            Samples.Node("""{"type":"NFKC"}"""), Samples.Node(
                """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"""),
            added: [Samples.Special("<pad>", 0, "s"), Samples.Special("</s>", 1, "s"), Samples.Special("<unk>", 2, "s")]),
        ["unigram, bytes"] = () => Samples.File(
            Samples.Unigram(fallsBack: true), Samples.Node(
                """{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}"""),
            decoder: Samples.Sequence("decoders", Samples.Node("""{"type":"ByteFallback"}"""),
                Samples.Node("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}""")),
            added: [Samples.Special("<pad>", 0, "s"), Samples.Special("</s>", 1, "s"), Samples.Special("<unk>", 2, "s")]),
    };

    private static JsonNode Llama2Decoder => Samples.Sequence(
        "decoders", Samples.Node("""{"type":"Replace","pattern":{"String":"▁"},"content":" "}"""),
            Samples.Node("""{"type":"ByteFallback"}"""),
        Samples.Node("""{"type":"Fuse"}"""), Samples.Node("""{"type":"Strip","content":" ","start":1,"stop":0}"""));

    private static JsonNode Llama2Template => Samples.Node(
        """
        {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
         "pair":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},
         {"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}
        """);

    private static JsonNode[] Llama2Added => [Samples.Special("<unk>", 0, "s"), Samples.Special("<s>", 1, "s"),
        Samples.Special("</s>", 2, "s")];

    private static JsonNode BertTemplate => Samples.Node(
        """
        {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
         {"SpecialToken":{"id":"[SEP]","type_id":0}}],"pair":[
             {"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
         {"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"[SEP]","type_id":1}}],
         "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[2],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[3],"tokens":["[SEP]"]}}}
        """);

    private static JsonNode[] BertAdded =>
    [
        Samples.Special("[PAD]", 0, "s"), Samples.Special("[UNK]", 1, "s"), Samples.Special("[CLS]", 2, "s"),
            Samples.Special("[SEP]", 3, "s"),
        Samples.Special("[MASK]", 4, "sl"),
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Tokens_and_text_are_those_of_the_reference(string kind)
    {
        using var both = new References(Makers[kind]());
        foreach (var text in Hostile)
            both.Same(text);
        var random = kind.StartsWith("bert", StringComparison.Ordinal) || kind.Contains("other steps", StringComparison.Ordinal)
            ? Texts.Scripts : Texts.Any;
        random.Sample(both.Same, iter: 1500, threads: 1);
    }

    [Theory]
    [InlineData("Removed")]
    [InlineData("Isolated")]
    [InlineData("MergedWithPrevious")]
    [InlineData("MergedWithNext")]
    [InlineData("Contiguous")]
    public void Every_behavior_of_a_split_is_that_of_the_reference(string behavior)
    {
        foreach (var isInverted in (bool[])[false, true])
        {
            // Each piece is one token or unknown as a whole, so the number of tokens shows the cuts.
            using var both = new References(Samples.File(
                Samples.WordPiece(), Samples.Split("[,.]|ab", behavior, isInverted), added: BertAdded));
            Gen.String[Gen.OneOf('a', 'b', ',', '.', 'x'), 0, 12].Sample(both.Same, iter: 500, threads: 1);
        }
    }
}
