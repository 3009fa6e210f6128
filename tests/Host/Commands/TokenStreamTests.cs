using System.Text;
using CsCheck;
using Elastic.Corpus;
using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

public sealed class TokenStreamTests
{
    [Fact]
    public void A_character_is_written_when_its_last_byte_has_come()
    {
        var pieces = new List<string>();
        var stream = new TokenStream(Tokenizer.Open("byte"), pieces.Add, []);
        foreach (var token in Encoding.UTF8.GetBytes("aé€😀"))
            stream.Add(token);
        stream.Complete();
        Assert.Equal(["a", "é", "€", "😀"], pieces);
    }

    [Fact]
    public void Text_streams_to_what_it_is() => Gen.String.Where(s => !s.Any(char.IsSurrogate)).Sample(text =>
    {
        var streamed = new StringBuilder();
        var stream = new TokenStream(Tokenizer.Open("byte"), s => streamed.Append(s), []);
        foreach (var token in Encoding.UTF8.GetBytes(text))
            stream.Add(token);
        stream.Complete();
        Assert.Equal(text, streamed.ToString());
    });

    [Fact]
    public void Words_keep_the_spaces_that_a_decoder_leaves_out_at_the_beginning_of_a_text()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        File.WriteAllText(Path.Combine(folder, "vocab.txt"), "[UNK]\n[CLS]\n[SEP]\nhello\nworld\n##s\n.\n");
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(folder));
        Directory.Delete(folder, recursive: true);
        var (fresh, behind) = (new StringBuilder(), new StringBuilder());
        foreach (var (text, before) in new[] { (fresh, Array.Empty<int>()), (behind, [4]) })
        {
            var stream = new TokenStream(tokenizer, s => text.Append(s), before);
            foreach (var token in (int[])[3, 4, 5, 6, 2, 3])
                stream.Add(token);
            stream.Complete();
        }

        Assert.Equal(("hello worlds.hello", " hello worlds.hello"), (fresh.ToString(), behind.ToString()));
    }

    [Fact]
    public void Bytes_that_never_become_a_character_do_not_hold_the_text_up()
    {
        var pieces = new List<string>();
        var stream = new TokenStream(Tokenizer.Open("byte"), pieces.Add, []);
        for (var i = 0; i < 4; i++)
            stream.Add(0xff);
        Assert.NotEmpty(pieces);
    }
}
