using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using PeerTokenizer = Tokenizers.DotNet.Tokenizer;

namespace Elastic.Tokenize;

/// <summary>
/// Every kind of tokenizer file over one trained vocabulary, opened by Elastic and by the Rust library that the format comes from.
/// </summary>
internal sealed class Kinds : IDisposable
{
    /// <summary>The peer's name.</summary>
    public const string Peer = "tokenizers (Rust)";

    private const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly JsonSerializerOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string[] FirstPieces = ["[UNK]", "[SEP]"], FirstOfUnigram = ["<unk>", "</s>", "\u2581"];

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-bench-").FullName;
    private readonly List<(string Name, FileTokenizer Ours, PeerTokenizer Theirs)> _all = [];

    public Kinds(TrainedTokenizer trained)
    {
        var bpe = JsonNode.Parse(trained.Files().Single(f => f.Name == "tokenizer.json").Bytes)!;
        Add("BPE, as GPT-2", bpe);
        var llama = bpe.DeepClone();
        llama["pre_tokenizer"] = JsonNode.Parse(
            $$"""
            {"type":"Sequence","pretokenizers":[
             {"type":"Split","pattern":{"Regex":{{JsonValue.Create(Llama3).ToJsonString()}}},"behavior":"Isolated","invert":false},
             {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
            """);
        Add("BPE, as Llama 3", llama);

        // The same words, written as the other kinds write them.
        var words = trained.Tokens.Skip(1).Where(t => t.All(c => c is 'Ġ' || char.IsAscii(c))).ToList();
        string[] pieces = [.. words.Select(w => w[0] == 'Ġ' ? w[1..] : "##" + w).Where(w => w.Length > 0 && !w.Contains('Ġ')).Distinct()];
        string[] characters = [.. Enumerable.Range(0x21, 94).Select(c => ((char)c).ToString())];
        Add("WordPiece", File(
            new JsonObject
            {
                ["type"] = "WordPiece",
                ["unk_token"] = "[UNK]",
                ["continuing_subword_prefix"] = "##",
                ["max_input_chars_per_word"] = 100,
                ["vocab"] = new JsonObject(
                    FirstPieces.Concat(characters).Concat(pieces).Distinct()
                        .Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))),
            },
            """{"type":"BertPreTokenizer"}""",
            """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"""));
        Add("Unigram", File(
            new JsonObject
            {
                ["type"] = "Unigram",
                ["unk_id"] = 0,
                ["vocab"] = new JsonArray(
                [
                    .. FirstOfUnigram.Concat(characters).Concat(words.Select(w => w.Replace('Ġ', '\u2581'))).Distinct()
                        .Select((t, i) => new JsonArray(t, -1 - Math.Log(i + 1))),
                ]),
            },
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""", "null"));
    }

    public IEnumerable<(string Name, FileTokenizer Ours, PeerTokenizer Theirs)> All => _all;

    public void Dispose()
    {
        foreach (var (_, _, theirs) in _all)
            theirs.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static JsonObject File(JsonNode model, string cut, string normalizer) => new JsonObject
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray(),
        ["normalizer"] = JsonNode.Parse(normalizer),
        ["pre_tokenizer"] = JsonNode.Parse(cut),
        ["post_processor"] = null,
        ["decoder"] = null,
        ["model"] = model,
    };

    private void Add(string name, JsonNode json)
    {
        var path = Path.Combine(_folder, $"{_all.Count}.json");
        System.IO.File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(json, Format));
        _all.Add((name, FileTokenizer.Open(new TokenizerFile(System.IO.File.ReadAllBytes(path), 1, path)), new PeerTokenizer(path)));
    }
}
