using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>A piece as one machine describes it to another one that is to read it; see <see cref="SharedManifest"/>.</summary>
/// <param name="Source">The source's number in the manifest.</param>
/// <param name="Path">Where the file is on the machine that asks, and for messages.</param>
/// <param name="Name">The file's name in the source.</param>
/// <param name="Content">The SHA-256 of the file's bytes.</param>
/// <param name="Length">Bytes of the file.</param>
/// <param name="OfFile">See <see cref="SourcePiece.OfFile"/>.</param>
/// <param name="Identity">See <see cref="SourcePiece.Identity"/>.</param>
public sealed record SharedPiece(
    int Source, string Path, string Name, DocumentFormat Format, Packing Packing, string Content, long Length, string OfFile,
    string Identity)
{
    /// <summary>The part of the file that is meant; null for all of it.</summary>
    public FilePart? Part { get; init; }

    /// <summary>See <see cref="SourceFile.Licence"/>.</summary>
    public string? Licence { get; init; }

    /// <summary>See <see cref="BlockList.Digest"/>; null where nothing is blocked.</summary>
    public string? Blocks { get; init; }

    /// <summary>Describes a piece whose file was named after its content.</summary>
    public static SharedPiece Of(SourcePiece piece)
    {
        ArgumentNullException.ThrowIfNull(piece);
        var file = piece.File;
        return new SharedPiece(
            piece.Source, file.Path, file.Name, file.Format, file.Packing, file.Content!.Value.Hex, file.Length, piece.OfFile.Hex,
            piece.Identity.Hex)
        {
            Part = file.Part,
            Licence = file.Licence,
            Blocks = file.Reading.Blocks?.Digest.Hex,
        };
    }

    /// <summary>Whether it can be a piece: it came from another machine.</summary>
    internal bool IsSound => new[] { Content, OfFile, Identity, Blocks }.OfType<string>().All(Digest.IsDigest) && Source >= 0
        && Length >= 0 && Enum.IsDefined(Format) && Enum.IsDefined(Packing)
        && Part is not ({ Number: < 0 } or { Skip: < 0 } or { Length: < 0 } or { LinesBefore: < 0 });
}
