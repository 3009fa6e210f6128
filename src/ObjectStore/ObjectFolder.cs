using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// A folder with copies of objects: <c>files</c> under their names, <c>records</c> of what they are copies of, <c>parts</c> of what is not
/// whole yet. A file counts only with its record, which is written last.
/// </summary>
public sealed class ObjectFolder
{
    private readonly string _records, _parts;

    /// <param name="root">Made where it is missing.</param>
    public ObjectFolder(string root)
    {
        (Files, _records, _parts) = (FilesOf(root), Path.Combine(root, "records"), Path.Combine(root, "parts"));
        foreach (var folder in new[] { Files, _records, _parts })
            Directory.CreateDirectory(folder);
    }

    /// <summary>The folder of the files.</summary>
    public string Files { get; }

    /// <summary>The folder of the files of a folder that need not be there yet.</summary>
    public static string FilesOf(string root) => Path.Combine(root, "files");

    /// <summary>Where the copy of that name is, or will be.</summary>
    public string FileOf(string name) => Path.Combine(Files, name);

    /// <summary>Deletes all other files, with their records and parts, and folders without any.</summary>
    /// <param name="objects">The objects that stay, by the names of their copies.</param>
    public void Retain(IEnumerable<KeyValuePair<string, StoredObject>> objects)
    {
        var kept = new HashSet<string>(StringComparer.Ordinal);
        var (records, parts) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var (name, found) in objects)
        {
            kept.Add(FileOf(name));
            records.Add(NameOf(name));
            parts.Add(NameOf(found.Key));
        }
        foreach (var record in Directory.EnumerateFiles(_records).Where(r => !records.Contains(Path.GetFileName(r))).ToList())
            File.Delete(record);
        foreach (var part in Directory.EnumerateFiles(_parts).Where(p => !parts.Contains(Path.GetFileName(p).Split('-')[0])).ToList())
            File.Delete(part);
        foreach (var file in Directory.EnumerateFiles(Files, "*", SearchOption.AllDirectories).Where(f => !kept.Contains(f)).ToList())
            File.Delete(file);
        // The deepest first.
        foreach (var folder in Directory.EnumerateDirectories(Files, "*", SearchOption.AllDirectories)
            .OrderByDescending(f => f.Length).Where(f => !Directory.EnumerateFileSystemEntries(f).Any()).ToList())
            Directory.Delete(folder);
    }

    /// <summary>Whether the copy is of this very object, byte for byte as it was fetched.</summary>
    /// <param name="wanted">The digest that it must have; null for any.</param>
    public async Task<bool> HasAsync(string name, StoredObject found, Digest? wanted, CancellationToken cancel)
    {
        var (file, record) = (FileOf(name), RecordOf(name));
        if (!File.Exists(file) || !File.Exists(record) || new FileInfo(file).Length != found.Bytes)
            return false;
        return await File.ReadAllLinesAsync(record, cancel) is [var key, var tag, var digest]
            && key == Line(found.Key) && tag == Line(found.ETag) && (wanted is null || wanted.Value.Hex == digest)
            && (await HashAsync(file, cancel)).Hex == digest;
    }

    /// <summary>The file that takes an object's bytes; what there is of another one under the same key goes.</summary>
    public string PartOf(StoredObject found)
    {
        var (ofKey, ofObject) = (NameOf(found.Key), NameOf(found.ETag));
        var part = Path.Combine(_parts, $"{ofKey}-{ofObject}");
        foreach (var other in Directory.EnumerateFiles(_parts, $"{ofKey}-*").Where(p => p != part).ToList())
            File.Delete(other);
        return part;
    }

    /// <summary>Makes a whole part the copy.</summary>
    public void Keep(string name, StoredObject found, Digest digest, string part)
    {
        var (file, record) = (FileOf(name), RecordOf(name));
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.Delete(record);
        File.Move(part, file, overwrite: true);
        DurableFile.WriteDurably(record, Encoding.UTF8.GetBytes($"{Line(found.Key)}\n{Line(found.ETag)}\n{digest.Hex}\n"));
    }

    /// <summary>Deletes what there is of an object that cannot be had any more.</summary>
    public void Forget(string name, StoredObject found)
    {
        File.Delete(RecordOf(name));
        File.Delete(PartOf(found));
        File.Delete(FileOf(name));
    }

    /// <summary>The digest of a file.</summary>
    public static async Task<Digest> HashAsync(string path, CancellationToken cancel)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return await Digest.OfAsync(file, cancel);
    }

    private string RecordOf(string name) => Path.Combine(_records, NameOf(name));

    // Keys may hold any character.
    private static string Line(string text) => Uri.EscapeDataString(text);

    private static string NameOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..32];
}
