using System.Text;
using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using ZstdSharp;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What a build writes can be read again, whatever it let in.</summary>
public sealed class BuiltTextTests : IDisposable
{
    private const string Text = "Съешь же ещё этих мягких французских булок, 今日は天気がいい, naïve <b> & 'so' 😀";

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void Letters_stand_in_it_as_they_are()
    {
        var built = Build();
        using var file = new DecompressionStream(File.OpenRead(Directory.GetFiles(built.TextFolder).Single()));
        using var reader = new StreamReader(file, Encoding.UTF8);
        var line = reader.ReadToEnd();
        Assert.Contains(Text[..60], line, StringComparison.Ordinal);
        Assert.True(Encoding.UTF8.GetByteCount(line) < Encoding.UTF8.GetByteCount(Text) + 150, line);
        Assert.Equal(Text, JsonDocument.Parse(line).RootElement.GetProperty("text").GetString());
        Assert.Equal(Text, built.Records(Split.Train).Single().Text);
    }

    [Fact]
    public void No_limit_of_a_line_or_of_the_expansion_holds_for_it_and_it_keeps_its_name()
    {
        var built = Build();
        var file = CorpusSources.Resolve([built.TextFolder]).Single();
        Assert.True(file.Reading.IsBuilt);
        Assert.Equal(Text, DocumentReader.Read(file, new ReadStatistics()).Single().Text);
        Assert.Equal(CorpusIdentity.OfFile(file with { Reading = Reading.Default }).Reading, CorpusIdentity.OfFile(file).Reading);
        var lines = new Utf8Lines(
            new MemoryStream(new byte[5000]), file with { Reading = file.Reading with { LongestRecord = 1000 } }, new ReadStatistics());
        Assert.True(lines.TryRead(out var line) && line.Length == 5000);
        Assert.Equal(Beyond, Unpacked(file));
        Refusal.Says("becomes more than 67108864 bytes", () => Unpacked(file with { Reading = Reading.Default }));
        // As a source of another build it is read as any file is: each machine has to find the same.
        var manifest = Manifests.Of([("again", built.TextFolder)]);
        Assert.False(SourcePiece.Of(manifest, 0, PartSize.Default, []).Single().File.Reading.IsBuilt);
        Assert.False(CorpusSources.Resolve([_folders.Texts("text/a.jsonl", [Text])]).Single().Reading.IsBuilt);
    }

    private const long Beyond = ReadLimits.ExpansionFrom + (1 << 20);

    private BuiltText Build() => _folders.Build(Manifests.Of([("a", _folders.Texts("a.jsonl", [Text]))]));

    private static long Unpacked(SourceFile file)
    {
        using var stream = new Expansion(file).Bound(file, new Endless());
        var buffer = new byte[1 << 20];
        var length = 0L;
        while (length < Beyond)
            length += stream.Read(buffer);
        return length;
    }

    private sealed class Endless : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => buffer.Length;
    }
}
