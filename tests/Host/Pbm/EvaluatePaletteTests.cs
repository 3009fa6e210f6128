using Elastic.Actors.Control;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary><c>pbm run evaluate</c> on a cluster of the test's making, which scores each token as one of two.</summary>
public sealed class EvaluatePaletteTests : TemporaryFolder
{
    private readonly FakeCluster _cluster = new() { Checkpoint = Checkpoint("gpt2"), Progress = ["scored 1 pieces"] };

    [Fact]
    public async Task The_numbers_are_those_of_elastic_eval_by_source_with_their_sums()
    {
        var (a, b) = (
            Write("a.txt", string.Concat(Enumerable.Repeat("Zwölf ", 20))),
            Write("b.jsonl", "{\"text\":\"ab\"}\n{\"text\":\"c\"}\nno\n"));
        var lines = await Lines(("data", a), ("data", b), ("stride", "5"));
        Assert.Equal(
            [
                "scored 1 pieces",
                "1 record not readable, left out",
                "run tiny   round 3   " + D("fingerprint").Hex[..12] + "   windows of 16 tokens, 5 apart",
                "SOURCE   TOKENS  BYTES  NATS/TOKEN  PERPLEXITY  BITS/BYTE",
                "a.txt       140    140      0.6931        2.00     1.0000  ████████████",
                "b.jsonl       3      3      0.6931        2.00     1.0000  ████████████",
                "all         143    143      0.6931        2.00     1.0000  ████████████",
            ],
            lines.Select(l => l.Text).OfType<string>().Select(l => l.TrimEnd()));
        var json = Assert.Single(lines, l => l.Text is null).Json!;
        Assert.Equal(("tiny", 3, 5), ((string)json["run"]!, (int)json["round"]!, (int)json["stride"]!));
        Assert.Equal((140L, 3L), ((long)json["sources"]!["a.txt"]!["tokens"]!, (long)json["sources"]!["b.jsonl"]!["bytes"]!));
        Assert.Equal(143 * Math.Log(2), (double)json["all"]!["nats"]!, 1e-10);
        Assert.Equal("pbm anna@gpu7", _cluster.Asker!.Who);
    }

    [Fact]
    public async Task What_cannot_be_scored_is_refused_with_the_way_out()
    {
        var text = Write("a.txt", "text");
        Assert.Equal(
            "--stride x: use a number, 1 to the model's context",
            (await Assert.ThrowsAsync<SettingsException>(() => Lines(("data", text), ("stride", "x")))).Message);
        Assert.Contains(
            "--stride 17: use 1 to the model's context, 16",
            (await Assert.ThrowsAsync<SettingsException>(() => Lines(("data", text), ("stride", "17")))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<NotFoundException>(() => Lines(("data", Path.Combine(Folder, "none"))));
        Assert.Contains(
            "there is no text in it",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines(("data", Write("empty.txt", " "))))).Message, StringComparison.Ordinal);
        _cluster.Checkpoint = Checkpoint("bert");
        Assert.StartsWith(
            "run tiny is of a bert, which does not go on with a text",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines(("data", text)))).Message, StringComparison.Ordinal);
    }

    private static EvaluatedCheckpoint Checkpoint(string architecture)
    {
        var settings = TinySettings.Of("tiny");
        settings = settings with { Model = settings.Model with { Architecture = architecture } };
        var some = D("some").Hex;
        return new EvaluatedCheckpoint(
            new RunId("tiny-3k9v2mq7"),
            new CheckpointManifest(
                1, "tiny", 3, settings.Model.Signature, "", some, "byte", D("fingerprint").Hex, some, [some], 1, some,
                CheckpointManifest.BlobFolder),
            settings, Tokenizer.Open("byte"));
    }

    private Task<List<PbmLine>> Lines(params (string Argument, string Value)[] values)
    {
        var command = _cluster.Command("run evaluate");
        Assert.True(command.Changes);
        return command.LinesAsync(values);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));
}
