using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class CorpusIdentityTests
{
    private static readonly CorpusSettings Settings = CorpusSettings.Defaults;

    [Fact]
    public void The_same_files_elsewhere_are_the_same_corpus()
    {
        using var here = new TemporaryFolder();
        using var there = new TemporaryFolder();
        here.Write("a.txt", "text");
        there.Write("a.txt", "text");
        Assert.Equal(IdOf(here, Settings), IdOf(there, Settings));
    }

    [Fact]
    public void Content_names_tokenizer_and_held_out_share_each_make_another_corpus()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.txt", "text");
        var ids = new List<Digest>
        {
            IdOf(folder, Settings), IdOf(folder, Settings with { Tokenizer = "gpt2" }), IdOf(folder, Settings with { HeldOut = 0.02 }),
        };
        folder.Write("a.txt", "Text");
        ids.Add(IdOf(folder, Settings));
        File.Move(folder["a.txt"], folder["b.txt"]);
        ids.Add(IdOf(folder, Settings));
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Theory]
    [InlineData("a.zip", 1)]
    [InlineData("a.tar", 1)]
    [InlineData("a.txt", 0)]
    public void An_archive_of_which_more_members_are_read_than_once_is_another_corpus(string name, int lines)
    {
        using var folder = new TemporaryFolder();
        folder.Write(name, "bytes");
        var file = Assert.Single(CorpusSources.Resolve([folder[name]]));
        Assert.Equal(lines, CorpusIdentity.OfFile(file).Reading.Count(line => line.StartsWith("members 3: ", StringComparison.Ordinal)));
    }

    // "{"text": "one"}\n" in each packing, by Python. The ids are those of versions that read what is not whole in another way.
    [Theory]
    [InlineData("gz", "H4sIAAAAAAACA6tWKkmtKFGyUlDKz0tVquUCAG0D0QYQAAAA", null,
        "a3451f05eb52fb40881d541d00a92a68a87298484526704d9fa03b3765c6bf66",
        "40207d5aaf3e362b6007aa6117c38f62336311b15c1ee8842e1b2d39c93e2abe",
        "30f6f471f016ba725095fed482b88733b66ab66e081d76790d9829acaf308e18")]
    [InlineData("bz2", "QlpoOTFBWSZTWQYpkAgAAAdZgAAQUAAAEAIBhEogADEA000EA0aaKza3SOpQFPi7kinChIAxTIBA",
        "d327698877b5672be01f2ac9f6092275ababa364bff135d54d5a615f1ed04288",
        "45f470dfc9dccc7480f55da90ef214759e78ae5ffdb8b7743436a3497da139bd",
        "5ad5204f2ebcbcd3745d4033176675392108ad556c7eea46272fe356176041b6", null)]
    [InlineData("xz", "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAPeyJ0ZXh0IjogIm9uZSJ9CgCCOfvQAWl5XwABKBDlC2xgH7bzfQEAAAAABFla",
        "af4be021c3d3958a3329be1e09041b1a9419dc134ff9fd8777af420472329a35", null,
        "132ab3742ef756a5bc95d7b6fc9217e75c5cb4ee80d9b191142db1793f9ffca1", null)]
    public void A_packed_file_that_is_whole_keeps_its_id_and_one_that_is_read_otherwise_now_has_another(
        string ending, string base64, string? whole, string? withZeros, string withRest, string? withWrongSum)
    {
        var bytes = Convert.FromBase64String(base64);
        // Of gzip nobody sees which it is without unpacking it.
        if (whole is not null)
            Assert.Equal(whole, IdOf(ending, bytes));
        else
            Assert.NotEqual("9dc8735197fe40f97a03e94b6739577bb233ee945546055edcfa312585096d13", IdOf(ending, bytes));
        // Zeros may lie behind xz, and always could.
        if (withZeros is not null)
            Assert.NotEqual(withZeros, IdOf(ending, [.. bytes, .. new byte[8]]));
        Assert.NotEqual(withRest, IdOf(ending, [.. bytes, .. "rest"u8]));
        bytes[^6] ^= 4;
        if (withWrongSum is not null)
            Assert.NotEqual(withWrongSum, IdOf(ending, bytes));
    }

    [Theory]
    [InlineData("gz", "H4sIAAAAAAACA6tWKkmtKFGyUlDKz0tVquUCAG0D0QYQAAAA", "H4sIAAAAAAACA6tWKkmtKFGyUlAqKc9XquUCAKLkjW0QAAAA",
        "d18b9b2ab2a56bd20fb90d7a71398fe4de534392279fb1bdc59c4dc8e8dd4420")]
    [InlineData("bz2", "QlpoOTFBWSZTWQYpkAgAAAdZgAAQUAAAEAIBhEogADEA000EA0aaKza3SOpQFPi7kinChIAxTIBA",
        "QlpoOTFBWSZTWYqW+CMAAAdZgAAQUAAAEAIAhMogADEA000EJtAeqE4VuTwmQL4u5IpwoSEVLfBG",
        "62eced43c99b41ece47b1cc69aa43f0149b04a139b8a34bcb3feb5cbe6fe27c4")]
    public void Joined_files_have_another_id(string ending, string first, string second, string before) =>
        Assert.NotEqual(before, IdOf(ending, [.. Convert.FromBase64String(first), .. Convert.FromBase64String(second)]));

    // What separates streams may lie on the border of two blocks of bytes.
    [Fact]
    public void Joined_streams_of_bzip2_are_found_wherever_the_second_begins()
    {
        var stream = Convert.FromBase64String("QlpoOTFBWSZTWQYpkAgAAAdZgAAQUAAAEAIBhEogADEA000EA0aaKza3SOpQFPi7kinChIAxTIBA");
        using var folder = new TemporaryFolder();
        for (var before = (1 << 16) - 12; before < (1 << 16) + 2; before++)
        {
            byte[] bytes = [.. stream, .. new byte[before - stream.Length], .. stream];
            var file = Assert.Single(CorpusSources.Resolve([folder.Write("a.jsonl.bz2", bytes)]));
            Assert.Contains(CorpusIdentity.OfFile(file).Reading, line => line.StartsWith("bzip2 2", StringComparison.Ordinal));
        }
    }

    private static string IdOf(string ending, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        return CorpusIdentity.Identify(CorpusSources.Resolve([folder.Write($"a.jsonl.{ending}", bytes)]), Settings).Id.Hex;
    }

    private static Digest IdOf(TemporaryFolder folder, CorpusSettings settings) =>
        CorpusIdentity.Identify(CorpusSources.Resolve([folder.Path]), settings).Id;
}
