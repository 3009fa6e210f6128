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
        var stream = new TokenStream(Tokenizer.Open("byte"), pieces.Add);
        foreach (var token in Encoding.UTF8.GetBytes("aé€😀"))
            stream.Add(token);
        stream.Complete();
        Assert.Equal(["a", "é", "€", "😀"], pieces);
    }

    [Fact]
    public void Text_streams_to_what_it_is() => Gen.String.Where(s => !s.Any(char.IsSurrogate)).Sample(text =>
    {
        var streamed = new StringBuilder();
        var stream = new TokenStream(Tokenizer.Open("byte"), s => streamed.Append(s));
        foreach (var token in Encoding.UTF8.GetBytes(text))
            stream.Add(token);
        stream.Complete();
        Assert.Equal(text, streamed.ToString());
    });

    [Fact]
    public void Bytes_that_never_become_a_character_do_not_hold_the_text_up()
    {
        var pieces = new List<string>();
        var stream = new TokenStream(Tokenizer.Open("byte"), pieces.Add);
        for (var i = 0; i < 4; i++)
            stream.Add(0xff);
        Assert.NotEmpty(pieces);
    }
}
