using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// The tokens of the pieces of a text, in a folder of one build, until all of its shards are written. A piece is there as a whole or not at
/// all, and is called after its documents and after what makes tokens of them. Thread-safe.
/// </summary>
/// <param name="folder">Made with the first piece.</param>
public sealed class TokenStore(string folder)
{
    private const string End = ".tokens";

    /// <summary>What a piece is called.</summary>
    /// <param name="plan">Digest of the <see cref="TokenPlan"/>.</param>
    /// <param name="documents">Digest of the <see cref="DocumentPiece"/>.</param>
    public static Digest IdentityOf(Digest plan, Digest documents) => CorpusIdentity.OfTexts(["tokens 1", plan.Hex, documents.Hex]);

    /// <summary>True where the piece is here.</summary>
    public bool Has(Digest piece) => File.Exists(PathOf(piece));

    /// <summary>Where the piece is, or would be.</summary>
    public string PathOf(Digest piece) => Path.Combine(folder, piece.Hex + End);

    /// <summary>Stores a piece that was made here.</summary>
    public void Put(Digest piece, TokenizedBatch tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        Make(piece, path =>
        {
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            TokenPiece.Write(tokens.Documents, file);
        });
    }

    /// <summary>Stores a copy of the file of a piece, checked by its digest.</summary>
    public void Copy(Digest piece, string from)
    {
        Make(piece, path => File.Copy(from, path));
    }

    // A full disk leaves nothing of it.
    private void Make(Digest piece, Action<string> write)
    {
        Directory.CreateDirectory(folder);
        var path = DurableFile.TemporaryPath(PathOf(piece));
        try
        {
            write(path);
            TakeIn(piece, path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Takes the file of a piece in that another machine has made, checked by its digest; it is gone afterwards.</summary>
    public void TakeIn(Digest piece, string path)
    {
        Directory.CreateDirectory(folder);
        DurableFile.Flush(path);
        File.Move(path, PathOf(piece), overwrite: true);
        DurableFile.FlushFolder(folder);
    }
}
