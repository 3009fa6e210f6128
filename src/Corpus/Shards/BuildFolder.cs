using Elastic.Messages;

namespace Elastic.Corpus;

/// <summary>
/// A folder that is filled under another name and renamed when complete. What a crash leaves behind is removed by the next build:
/// a living builder holds a lock on its folder, a dead one does not.
/// </summary>
internal sealed class BuildFolder : IDisposable
{
    private const string LockName = "lock";
    private readonly string _target;
    private FileStream? _lock;

    /// <param name="target">The folder's final path.</param>
    public BuildFolder(string target)
    {
        _target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        var parent = Path.GetDirectoryName(_target) ?? throw new ElasticException($"{target} cannot be a corpus folder: name a folder inside another");
        Directory.CreateDirectory(parent);
        foreach (var leftover in Directory.EnumerateDirectories(parent, Path.GetFileName(_target) + Suffix + "*"))
            RemoveIfDead(leftover);
        Current = _target + Suffix + Guid.NewGuid().ToString("n");
        Directory.CreateDirectory(Current);
        _lock = Lock(Current);
    }

    private static string Suffix => ".building-";

    /// <summary>Where the files go until then.</summary>
    public string Current { get; }

    /// <summary>Renames the folder. Where another builder was faster, its folder stays: the same inputs give the same bytes.</summary>
    public void Complete()
    {
        ReleaseLock();
        Durable.FlushFolder(Current);
        if (Directory.Exists(_target) && !File.Exists(Path.Combine(_target, CorpusManifest.FileName)))
            throw new ElasticException($"{_target} is in the way: it exists but is no corpus; move or delete it");
        if (Directory.Exists(_target))
            return;
        Directory.Move(Current, _target);
        Durable.FlushFolder(Path.GetDirectoryName(_target)!);
    }

    /// <summary>Removes what was not completed.</summary>
    public void Dispose()
    {
        ReleaseLock();
        if (Directory.Exists(Current))
            Directory.Delete(Current, recursive: true);
    }

    private static FileStream Lock(string folder) => new(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

    private static void RemoveIfDead(string folder)
    {
        try
        {
            Lock(folder).Dispose();
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // Locked: its builder lives.
        }
    }

    private void ReleaseLock()
    {
        if (_lock is null)
            return;
        _lock.Dispose();
        _lock = null;
        File.Delete(Path.Combine(Current, LockName));
    }
}
