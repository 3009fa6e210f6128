using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A folder that is filled under another name and renamed when complete. The next build removes what a crash leaves behind:
/// a living builder holds a lock file beside its folder, and the operating system releases the lock of a dead one. The file names the
/// machine: on a disk that machines share, another one may not see the lock, and goes by when the builder has last touched the file.
/// </summary>
public sealed class BuildFolder : IDisposable
{
    private const string Infix = ".building-";
    private const string RemovalInfix = ".removing-";
    private const string LockSuffix = ".lock";
    private const int LongestMachine = 256;

    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(1);

    // The name of a container differs at each start, so that what another machine left must not stay until the disk is full. Clocks are
    // minutes apart at worst. Whose machine slept for longer builds again what it had.
    private static readonly TimeSpan LeftByAnother = TimeSpan.FromHours(1);

    private readonly string _target;
    private readonly string _last;
    private readonly FileStream _lock;
    private readonly ITimer _touching;

    /// <param name="target">The folder's final path.</param>
    /// <param name="last">The file that is written last: a folder that has it is complete.</param>
    /// <param name="time">By which the lock file is touched; null for the system's.</param>
    public BuildFolder(string target, string last = CorpusManifest.FileName, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        _last = last;
        _target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        var parent = Path.GetDirectoryName(_target)
            ?? throw new ElasticException($"{target} cannot be a corpus folder: name a folder inside another");
        Directory.CreateDirectory(parent);
        RemoveDead(parent);
        Current = _target + Infix + Guid.NewGuid().ToString("n");
        // The lock file is made before the folder and deleted after it, so no folder is ever left without one.
        _lock = Lock(Current);
        Directory.CreateDirectory(Current);
        _touching = time.CreateTimer(_ => Touch(time.GetUtcNow().UtcDateTime), null, TouchEvery, TouchEvery);
    }

    /// <summary>The folder's path until it is complete.</summary>
    public string Current { get; }

    /// <summary>
    /// Removes what builders that died have left among the corpora, whichever they built: nobody may build them again; and the rest of
    /// what was being removed.
    /// </summary>
    public static void RemoveDead(string corpora)
    {
        foreach (var lockFile in ((string[])[Infix, RemovalInfix]).SelectMany(i => Directory.GetFiles(corpora, "*" + i + "*" + LockSuffix)))
            RemoveIfDead(lockFile);
    }

    /// <summary>Whether a builder that lives fills that folder, in this process or in another one.</summary>
    public static bool HasBuilder(string target) =>
        Path.GetDirectoryName(target) is { } parent && Directory.Exists(parent)
        && Directory.GetFiles(parent, Path.GetFileName(target) + Infix + "*" + LockSuffix).Any(IsHeld);

    /// <summary>
    /// Removes a complete folder. It is renamed first: of several processes that remove it one does, and after a crash the next build or
    /// the next start removes the rest.
    /// </summary>
    /// <returns>Bytes of its files; 0 where it is not there.</returns>
    public static long Remove(string target)
    {
        if (!Directory.Exists(target))
            return 0;
        var gone = target + RemovalInfix + Guid.NewGuid().ToString("n");
        using var held = Lock(gone);
        try
        {
            Directory.Move(target, gone);
            var bytes = new DirectoryInfo(gone).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);
            File.Delete(Path.Combine(gone, CorpusManifest.FileName));   // what is incomplete is listed nowhere
            Directory.Delete(gone, recursive: true);
            return bytes;
        }
        catch (DirectoryNotFoundException)
        {
            return 0;                                                  // another process was faster
        }
        finally
        {
            // By its lock file the next one finds what could not be removed.
            if (!Directory.Exists(gone))
                File.Delete(held.Name);
        }
    }

    /// <summary>Renames the folder. Where another builder was faster, its folder stays: the same inputs give the same bytes.</summary>
    /// <exception cref="ElasticException">Something other than a corpus has the name.</exception>
    public void Complete()
    {
        DurableFile.FlushFolder(Current);
        if (File.Exists(Path.Combine(_target, _last)))
            return;
        if (BuiltCorpus.GrowingManifests(_target).Any())
        {
            Publish(Directory.GetFiles(Current).Select(Path.GetFileName).OfType<string>().Where(name => name != _last));
            Publish([_last]);
            return;
        }
        try
        {
            if (Path.Exists(_target))
                throw InTheWay();
            Directory.Move(Current, _target);
        }
        catch (Exception e) when (e is IOException or ElasticException && File.Exists(Path.Combine(_target, _last)))
        {
            return;                                                    // another builder has come to its end since we looked
        }
        DurableFile.FlushFolder(Path.GetDirectoryName(_target)!);
    }

    /// <summary>
    /// Moves finished files to the folder's final path, before the others. What an earlier builder has published stays: the same inputs
    /// give the same bytes.
    /// </summary>
    /// <exception cref="ElasticException">Something else is there, or a file of other bytes.</exception>
    public void Publish(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        if (Directory.Exists(_target) && Directory.EnumerateFileSystemEntries(_target).Any()
            && !BuiltCorpus.GrowingManifests(_target).Any() && !File.Exists(Path.Combine(_target, _last)))
            throw InTheWay();
        Directory.CreateDirectory(_target);
        foreach (var name in names)
        {
            var (from, to) = (Path.Combine(Current, name), Path.Combine(_target, name));
            if (!TryMove(from, to) && HashOf(from) != HashOf(to))
                throw new ElasticException($"{to} was built before, and has other bytes than now: it is damaged; stop the runs that read "
                    + $"it, delete the folder {_target} and give the same command again");
        }
        DurableFile.FlushFolder(_target);
    }

    // False where another builder has put it there, perhaps only now.
    private static bool TryMove(string from, string to)
    {
        if (File.Exists(to))
            return false;
        try
        {
            File.Move(from, to);
            return true;
        }
        catch (IOException) when (File.Exists(to) && File.Exists(from))
        {
            return false;
        }
    }

    private static Digest HashOf(string path)
    {
        using var file = File.OpenRead(path);
        return Digest.Of(file);
    }

    private ElasticException InTheWay() => new($"{_target} is in the way: it exists and has no {_last}; move or delete it");

    /// <summary>Removes an incomplete folder.</summary>
    public void Dispose()
    {
        _touching.Dispose();
        if (Directory.Exists(Current))
            Directory.Delete(Current, recursive: true);
        File.Delete(_lock.Name);
        _lock.Dispose();
    }

    private static FileStream Lock(string folder)
    {
        var held = new FileStream(folder + LockSuffix, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        held.Write(Encoding.UTF8.GetBytes(Environment.MachineName));
        held.Flush();
        return held;
    }

    private void Touch(DateTime now)
    {
        try
        {
            File.SetLastWriteTimeUtc(_lock.SafeFileHandle, now);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The disk does not take it now, which ends no build; or the build has just ended.
        }
    }

    // A lock that was not seen is no proof where another machine has it: its builder lives as long as it touches the file.
    private static bool IsDead(FileStream seen) => IsOfThisMachine(seen) || NewestIn(seen.Name) <= DateTime.UtcNow - LeftByAnother;

    // Earlier versions named no machine.
    private static bool IsOfThisMachine(FileStream held)
    {
        var machine = new byte[LongestMachine];
        var length = held.ReadAtLeast(machine, machine.Length, throwOnEndOfStream: false);
        return length == 0 || Encoding.UTF8.GetString(machine, 0, length) == Environment.MachineName;
    }

    // When anything was last written there.
    private static DateTime NewestIn(string lockFile) => (FolderOf(lockFile) is var folder && Directory.Exists(folder)
        ? Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories).Append(folder) : [])
        .Append(lockFile).Max(File.GetLastWriteTimeUtc);

    private static string FolderOf(string lockFile) => lockFile[..^LockSuffix.Length];

    private static bool IsHeld(string lockFile)
    {
        try
        {
            using var held = new FileStream(lockFile, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return !IsDead(held);
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static void RemoveIfDead(string lockFile)
    {
        try
        {
            using var held = new FileStream(lockFile, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            if (!IsDead(held))
                return;
            if (FolderOf(lockFile) is var folder && Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
            File.Delete(lockFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Locked: its builder lives. Or gone: another build has removed it. Or this process may not remove it.
        }
    }
}
