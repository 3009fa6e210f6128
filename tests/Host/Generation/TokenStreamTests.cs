using System.Text;
using System.Text.Json;
using CsCheck;
using Elastic.Corpus;
using Elastic.Host.Generation;

namespace Elastic.Host.Tests.Generation;

public sealed class TokenStreamTests
{
    [Fact]
    public void A_character_is_written_when_its_last_byte_has_come()
    {
        var stream = new TokenStream(Tokenizer.Open("byte"), []);
        var pieces = Encoding.UTF8.GetBytes("aé€😀").Select(b => stream.Add(b)).Append(stream.Complete()).Where(p => p.Length > 0);
        Assert.Equal(["a", "é", "€", "😀"], pieces);
    }

    [Theory]
    [InlineData("byte")]
    [InlineData("gpt2")]
    public void Text_streams_to_what_it_is_and_no_piece_cuts_a_character(string name) =>
        Gen.String.Select(Gen.Const("\U0001D4B3é漢😀🤦🏼‍♂️")).Select((a, b) => a + b + a)
        .Where(s => !s.Contains('\uFFFD', StringComparison.Ordinal))
        .Sample(text =>
        {
            var whole = string.Concat(text.EnumerateRunes().Where(r => r != Rune.ReplacementChar));
            var (tokenizer, tokens) = (Tokenizer.Open(name), new List<int>());
            tokenizer.Encode(whole, tokens);
            var stream = new TokenStream(tokenizer, []);
            List<string> pieces = [.. tokens.Select(stream.Add), stream.Complete()];
            Assert.Equal(whole, string.Concat(pieces));
            Assert.DoesNotContain(pieces, p => p.Contains('\uFFFD', StringComparison.Ordinal));
        }, iter: 300);

    [Fact]
    public void Words_keep_the_spaces_that_a_decoder_leaves_out_at_the_beginning_of_a_text()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        File.WriteAllText(Path.Combine(folder, "vocab.txt"), "[UNK]\n[CLS]\n[SEP]\nhello\nworld\n##s\n.\n");
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(folder));
        Directory.Delete(folder, recursive: true);
        string Text(params int[] before)
        {
            var stream = new TokenStream(tokenizer, before);
            return string.Concat([.. new[] { 3, 4, 5, 6, 2, 3 }.Select(stream.Add), stream.Complete()]);
        }
        Assert.Equal(("hello worlds.hello", " hello worlds.hello"), (Text(), Text(4)));
    }

    // As Llama 2's: characters beyond the vocabulary are bytes, and a text begins without its first space.
    [Theory]
    [InlineData("hi 😀 hi")]
    [InlineData("hi é hi a")]
    [InlineData("漢 hi漢漢 hi")]
    [InlineData("a  é  hi")]
    [InlineData("  hi")]
    public void Words_behind_characters_that_are_bytes_keep_their_spaces(string text)
    {
        var (tokenizer, tokens) = (Spaced(), new List<int>());
        tokenizer.Encode(text, tokens);
        Assert.Equal(text, tokenizer.Decode([.. tokens]));
        for (var prompt = 0; prompt < tokens.Count; prompt++)
        {
            // What the prompt is as a text, and what follows; its last character may be cut.
            var before = tokenizer.Decode([.. tokens.Take(prompt)]);
            if (before.EndsWith('\uFFFD'))
                continue;
            var stream = new TokenStream(tokenizer, [.. tokens.Take(prompt)]);
            List<string> pieces = [.. tokens.Skip(prompt).Select(stream.Add), stream.Complete()];
            Assert.Equal(text, before + string.Concat(pieces));

            // The texts of single tokens, in which parts of characters are U+FFFD.
            var context = TokenContext.Of(tokenizer, tokens.Take(prompt));
            var single = "";
            foreach (var token in tokens.Skip(prompt))
            {
                single += context.TextOf([token]);
                context = context.With([token]);
            }
            Assert.Equal(
                string.Concat(text[before.Length..].EnumerateRunes()
                    .Select(r => r.IsAscii ? $"{r}" : new string('\uFFFD', r.Utf8SequenceLength))), single);
        }
    }

    [Fact]
    public void A_special_token_or_bytes_that_are_no_character_before_a_word_do_not_take_its_space()
    {
        var (tokenizer, tokens) = (Spaced(), new List<int>());
        tokenizer.Encode("a hi", tokens);
        var (a, hi, begins, ends) = (tokens[0], tokens[^1], 1, 2);
        string Behind(params int[] before) => new TokenStream(tokenizer, before).Add(hi);
        Assert.Equal((" hi", " hi", " hi"), (Behind(a), Behind(a, begins), Behind(a, 3 + 0xff)));
        // At the beginning of a text it has none.
        Assert.Equal(("hi", "hi", "hi"), (Behind(), Behind(begins), Behind(a, ends)));
        var stream = new TokenStream(tokenizer, [a]);
        Assert.Equal(" hi", string.Concat(Enumerable.Repeat(3 + 0xff, 4).Append(hi).Select(stream.Add)).TrimStart('\uFFFD'));
    }

    [Fact]
    public void Bytes_that_never_become_a_character_do_not_hold_the_text_up()
    {
        var stream = new TokenStream(Tokenizer.Open("byte"), []);
        Assert.NotEmpty(string.Concat(Enumerable.Range(0, 4).Select(_ => stream.Add(0xff))));
        Assert.Equal("\uFFFDa", stream.Add(0xc3) + stream.Add('a'));
    }

    // <unk>, <s>, </s>, the 256 bytes, and some words.
    private static FileTokenizer Spaced()
    {
        string[] tokens =
        [
            "<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"), "▁", "a", "h", "i", "▁a", "▁h", "▁hi",
        ];
        static object Step(string type) => new { type };
        static object Replace(string from, string to) => new { type = "Replace", pattern = new { String = from }, content = to };
        var json = JsonSerializer.SerializeToUtf8Bytes(new
        {
            version = "1.0",
            added_tokens = Enumerable.Range(0, 3).Select(id => new
            {
                id,
                content = tokens[id],
                single_word = false,
                lstrip = false,
                rstrip = false,
                normalized = false,
                special = true,
            }),
            normalizer = new
            {
                type = "Sequence",
                normalizers = new object[] { new { type = "Prepend", prepend = "▁" }, Replace(" ", "▁") },
            },
            decoder = new
            {
                type = "Sequence",
                decoders = new object[]
                {
                    Replace("▁", " "), Step("ByteFallback"), Step("Fuse"), new { type = "Strip", content = " ", start = 1, stop = 0 },
                },
            },
            model = new
            {
                type = "BPE",
                unk_token = "<unk>",
                fuse_unk = true,
                byte_fallback = true,
                vocab = tokens.Index().ToDictionary(t => t.Item, t => t.Index),
                merges = new[] { "▁ a", "▁ h", "▁h i" },
            },
        });
        return FileTokenizer.Open(new TokenizerFile(json, 2, "t"));
    }
}
