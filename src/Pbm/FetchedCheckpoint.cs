using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Foundation;
using Elastic.Messages.Pbm;
using Elastic.Messages.Vectors;

namespace Elastic.Pbm;

/// <summary>
/// The folder that a seed's checkpoint is written to. A seed may lie: no file has another name than those of checkpoints, each blob has the
/// bytes that its name says, and the manifest, which makes it a checkpoint, is written last, when all that it names is there.
/// </summary>
internal sealed partial class FetchedCheckpoint : IDisposable
{
    // The longest set of vectors.
    private const long MostBytes = VectorSet.MostBytes;

    private const string Another = "name another folder with -o";

    private readonly string _folder, _remedy;
    private readonly HashSet<string> _blobs = [];
    private readonly MemoryStream _manifest = new();
    private (string Name, FileStream File, IncrementalHash Hash)? _open;
    private string? _manifestName;
    private bool _isManifestWhole, _isFinished;
    private long _bytes;

    private FetchedCheckpoint(string folder, string remedy) => (_folder, _remedy) = (folder, remedy);

    /// <summary>Makes the folder.</summary>
    /// <param name="remedy">What a person does where it cannot be written.</param>
    /// <exception cref="PbmException">There is something at its place already, or it cannot be made.</exception>
    public static FetchedCheckpoint Begin(string folder, string remedy = Another)
    {
        try
        {
            var path = Path.GetFullPath(folder);
            if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
                throw PbmException.Failed($"{folder} is there and not empty: name a new folder");
            WritePlace.Check(path, "-o");
            Directory.CreateDirectory(path);
            return new FetchedCheckpoint(path, remedy);
        }
        catch (ElasticException e) when (e is not PbmException)
        {
            throw PbmException.Failed(e.Message, e);
        }
        catch (Exception e) when (WritePlace.IsRefused(e) || e is ArgumentException)
        {
            throw PbmException.Failed(WritePlace.Problem(folder, e, remedy).Message, e);
        }
    }

    /// <summary>Whether that is the name of a blob, which only the manifests that name it need.</summary>
    public static bool IsBlob(string name) => BlobName().IsMatch(name);

    /// <summary>Writes a piece.</summary>
    /// <exception cref="PbmException">It belongs to no checkpoint, or the disk does not take it.</exception>
    public void Add(PbmMessage.FilePiece piece)
    {
        try
        {
            if (ManifestName().IsMatch(piece.Name))
                AddManifest(piece);
            else if (BlobName().IsMatch(piece.Name)
                || piece.Name is "tokenizer.json" or "tokenizer_config.json" or "chat_template.jinja")
                AddFile(piece);
            else
                throw PbmException.Failed(
                    $"the seed sends a file {OneLine.Of(piece.Name)}, which is none of a checkpoint: nothing of it is kept");
        }
        catch (Exception e) when (WritePlace.IsRefused(e))
        {
            throw PbmException.Failed(WritePlace.Problem(_folder, e, _remedy).Message, e);
        }
    }

    /// <summary>Checks that all is there, and makes it a checkpoint.</summary>
    /// <returns>The manifest's path, what was written, and the fingerprint of the parameters.</returns>
    /// <exception cref="PbmException">Something is missing, or other than what the manifest says.</exception>
    public (string Manifest, int Blobs, long Bytes, string Fingerprint) Finish()
    {
        if (_manifestName is null || !_isManifestWhole || _open is not null)
            throw PbmException.Failed("the seed has not sent a whole checkpoint: try again");
        try
        {
            var (parameters, fingerprint) = ReadManifest();
            var set = SetOf(parameters);
            Demand(set[VectorSet.Parameters].Chunks);
            if (set.Frozen is { } frozen)
                Demand(SetOf(frozen)[VectorSet.FrozenParameters].Chunks);
            if (set.Fingerprint.Hex != fingerprint)
                throw PbmException.Failed(
                    $"the parameters have the fingerprint {set.Fingerprint.Short}, and the checkpoint says {OneLine.Of(fingerprint, 12)}: "
                    + "it is damaged on the seed, take it from another one");
            var path = Path.Combine(_folder, _manifestName);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            DurableFile.WriteDurably(path, _manifest.ToArray());
            _isFinished = true;
            return (path, _blobs.Count, _bytes, fingerprint);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or IOException or UnauthorizedAccessException)
        {
            throw PbmException.Failed($"the checkpoint cannot be used ({OneLine.Of(e.Message)}): take another one", e);
        }
    }

    /// <summary>Removes what was written, unless it is a checkpoint now.</summary>
    public void Dispose()
    {
        _open?.File.Dispose();
        _open?.Hash.Dispose();
        _manifest.Dispose();
        if (_isFinished)
            return;
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a manifest it is no checkpoint, and the next one wants a new folder.
        }
    }

    private void AddManifest(PbmMessage.FilePiece piece)
    {
        if (_isManifestWhole || (_manifestName ??= piece.Name) != piece.Name || _manifest.Length + piece.Bytes.Length > MostBytes)
            throw PbmException.Failed("the seed sends more than one manifest, or one that is too long: nothing of it is kept");
        _manifest.Write(piece.Bytes);
        _isManifestWhole = piece.IsLast;
    }

    private void AddFile(PbmMessage.FilePiece piece)
    {
        if (_open is { } other && other.Name != piece.Name)
            throw PbmException.Failed($"the seed has not sent all of {other.Name}: try again");
        if (_open is null)
        {
            var path = Path.Combine(_folder, piece.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            _open = (
                piece.Name, new FileStream(path, FileMode.CreateNew, FileAccess.Write),
                IncrementalHash.CreateHash(HashAlgorithmName.SHA256));
        }

        var (name, file, hash) = _open.Value;
        if (file.Length + piece.Bytes.Length > MostBytes)
            throw PbmException.Failed($"{name} is longer than any file of a checkpoint: nothing of it is kept");
        file.Write(piece.Bytes);
        hash.AppendData(piece.Bytes);
        _bytes += piece.Bytes.Length;
        if (!piece.IsLast)
            return;
        _open = null;
        file.Flush(flushToDisk: true);
        file.Dispose();
        var digest = Digest.Of(hash);
        hash.Dispose();
        if (!BlobName().IsMatch(name))
            return;
        if (!name.EndsWith($"{digest.Hex[..2]}/{digest.Hex}", StringComparison.Ordinal))
            throw PbmException.Failed($"the blob {name[^64..^52]} has arrived with other bytes than its name says: try again");
        _blobs.Add(digest.Hex);
    }

    private (Digest Parameters, string Fingerprint) ReadManifest()
    {
        using var json = JsonDocument.Parse(_manifest.ToArray());
        var root = json.RootElement;
        var (parameters, fingerprint) = (Text("parameters"), Text("fingerprint"));
        return Digest.IsDigest(parameters)
            ? (new Digest(parameters), fingerprint)
            : throw new InvalidDataException("its parameters are no digest");

        string Text(string name) =>
            root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()! : throw new InvalidDataException($"its manifest has no {name}");
    }

    private VectorSet SetOf(Digest set)
    {
        Demand([set]);
        return VectorSet.Parse(File.ReadAllBytes(Path.Combine(_folder, "blobs", set.Hex[..2], set.Hex)));
    }

    private void Demand(IEnumerable<Digest> blobs)
    {
        foreach (var blob in blobs)
            if (!_blobs.Contains(blob.Hex))
                throw PbmException.Failed($"the checkpoint lacks the blob {blob.Short}: try again");
    }

    [GeneratedRegex(@"\Ablobs/[0-9a-f]{2}/[0-9a-f]{64}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex BlobName();

    [GeneratedRegex(@"\Acheckpoints/round-[0-9]{6,10}\.json\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex ManifestName();
}
