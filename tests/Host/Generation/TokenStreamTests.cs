using System.Text;
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

    [Fact]
    public void Bytes_that_never_become_a_character_do_not_hold_the_text_up()
    {
        var stream = new TokenStream(Tokenizer.Open("byte"), []);
        Assert.NotEmpty(string.Concat(Enumerable.Range(0, 4).Select(_ => stream.Add(0xff))));
        Assert.Equal("\uFFFDa", stream.Add(0xc3) + stream.Add('a'));
    }
}
