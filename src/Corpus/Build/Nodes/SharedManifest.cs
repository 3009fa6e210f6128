using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>
/// A manifest as one machine sends it to others that are to read pieces of its sources: with what its block lists say, for the others need
/// not have those files.
/// </summary>
/// <param name="Manifest">To read by; sources keep the paths of the machine that asks.</param>
/// <param name="Blocks">What is not wanted of each source.</param>
public sealed record SharedManifest(BuildManifest Manifest, IReadOnlyList<BlockList?> Blocks)
{
    /// <summary>Bytes of a manifest with its block lists, at most.</summary>
    public const int MostBytes = 256 << 20;

    /// <summary>A manifest of this machine.</summary>
    /// <exception cref="ElasticException">A block list cannot be read.</exception>
    public static SharedManifest Of(BuildManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return new SharedManifest(manifest, [.. manifest.Sources.Select(s => BlockList.Read(s.BlockLists))]);
    }

    /// <summary>As it travels.</summary>
    /// <exception cref="ElasticException">A block list cannot be read, or they are too large to send.</exception>
    public static byte[] Write(BuildManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var bytes = PieceLines.Of(new Text(
            [.. manifest.Sources.Select(s => new SourceText([.. ValuesOf(s)], [.. BlockList.TextsOf(s.BlockLists)]))],
            [.. manifest.Stages.Select(s => new StageText(s.Kind.Name, [.. ValuesOf(s.Settings), .. ValuesOf(s.Scope)], s.Identity))],
            [.. manifest.TakeDowns.Identity]));
        return bytes.Length <= MostBytes ? bytes
            : throw new ElasticException($"the manifest with its block lists has {bytes.Length} bytes, and at most {MostBytes} are sent to "
                + "nodes: build it with elastic corpus build, or block less");
    }

    /// <summary>What <see cref="Write"/> wrote.</summary>
    /// <param name="kindOf">The stage of a name; null where there is none here.</param>
    /// <param name="allow">Is called with each file that a stage reads here; throws where it may not.</param>
    /// <exception cref="ElasticException">A stage is not known here, or reads something else than on the machine that asks.</exception>
    public static SharedManifest Read(ReadOnlySpan<byte> bytes, Func<string, StageKind?> kindOf, Action<string> allow)
    {
        ArgumentNullException.ThrowIfNull(kindOf);
        ArgumentNullException.ThrowIfNull(allow);
        var text = PieceLines.Read<Text>(bytes, "a manifest that was sent");
        try
        {
            return new SharedManifest(
                new BuildManifest(
                    [.. text.Sources.Select(s => SourceOf(s.Values))],
                    [.. text.Stages.Select(s => Plan(s, kindOf, allow))])
                { TakeDowns = TakeDowns.OfIdentity(text.TakeDowns) },
                [.. text.Sources.Select(s => BlockList.Of(s.Blocks))]);
        }
        catch (FormatException e)
        {
            throw new ElasticException($"a manifest that was sent is damaged ({e.Message}): build the corpus again", e);
        }
    }

    /// <summary>The piece of a description, to be read on this machine.</summary>
    /// <param name="copy">A copy of the file that has the digest which the description names; null to read it where it says.</param>
    /// <exception cref="ElasticException">The description is of another manifest.</exception>
    public SourcePiece PieceOf(SharedPiece piece, string? copy)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (piece.Source >= Manifest.Sources.Count || Blocks[piece.Source]?.Digest.Hex != piece.Blocks)
            throw new ElasticException(
                $"{piece.Name} is described for another manifest, or a block list has changed: build the corpus again");
        var (source, blocks) = (Manifest.Sources[piece.Source], Blocks[piece.Source]);
        var found = new Reading(source.TextField, source.Encoding) { Exclude = source.Reading(blocks).Exclude };
        var file = new SourceFile(piece.Path, piece.Name, piece.Format)
        {
            Copy = copy,
            Packing = piece.Packing,
            Reading = source.Of(found, blocks, Manifest.Fields),
            Content = new Digest(piece.Content),
            Part = piece.Part,
            Licence = piece.Licence,
        };
        return new SourcePiece(piece.Source, file, new Digest(piece.OfFile), new Digest(piece.Identity));
    }

    private static PlannedStage Plan(StageText text, Func<string, StageKind?> kindOf, Action<string> allow)
    {
        var kind = kindOf(text.Kind) ?? throw new ElasticException($"the stage {OneLine.Of(text.Kind, 80)} is not known on this node");
        foreach (var path in text.Values.Where(v => kind.Schema.Find(v.Key) is { IsPath: true }).SelectMany(v => v.Items))
            allow(path);
        var problems = new List<string>();
        var stage = kind.Plan(Texts(text.Values), problems);
        Refuse(problems);
        return stage.Identity == text.Identity ? stage : throw new ElasticException(
            $"the stage {kind.Name} reads other files here than on the node that builds, or is of another version: give both the same");
    }

    private static SourceSettings SourceOf(IReadOnlyList<ValueText> values)
    {
        var problems = new List<string>();
        var source = BuildManifest.Bind(Texts(values), problems);
        Refuse(problems);
        return source;
    }

    private static SettingText[] Texts(IReadOnlyList<ValueText> values) =>
        [.. values.Select(v => new SettingText(v.Key, v.Items, v.IsList, "a manifest"))];

    private static void Refuse(List<string> problems)
    {
        if (problems.Count > 0)
            throw new ElasticException(string.Join('\n', problems));
    }

    // What has no value is left out: it has none on the other machine, either.
    private static IEnumerable<ValueText> ValuesOf(SettingsGroup settings) => SettingsRecord.ValuesOf(settings)
        .Where(v => v.Value is not null)
        .Select(v => new ValueText(v.Setting.Key, [.. v.Setting.Kind.Items(v.Value!)], v.Setting.Kind.IsList));

    private sealed record Text(IReadOnlyList<SourceText> Sources, IReadOnlyList<StageText> Stages, IReadOnlyList<string> TakeDowns);

    private sealed record SourceText(IReadOnlyList<ValueText> Values, IReadOnlyList<string> Blocks);

    private sealed record StageText(string Kind, IReadOnlyList<ValueText> Values, string Identity);

    private sealed record ValueText(string Key, IReadOnlyList<string> Items, bool IsList);
}
