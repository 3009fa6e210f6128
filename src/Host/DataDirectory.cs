using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Host;

/// <summary>
/// The folder that holds everything Elastic keeps. One process at a time writes in it and holds its lock; others may read.
/// <code>
/// elastic-data/
///   journal.db                     the events of the runs
///   node-id                        who this node is to the others, whatever its address
///   certs/                         its certificate and key, and the authority's
///   pbm-token, ops-token           what pbm shows to a seed without certificates, and scrapers to the ops port
///   known-seeds                    where a worker has found seeds
///   log.txt, node.log              the actor systems', and what the process said
///   commands.log                   what was asked for by pbm, on a seed
///   texts/, pieces/, downloads/    texts that were built, what was read of their sources, and what was fetched for them
///   corpora/, corpora-fetched/     token shards: of texts that were built here, and fetched
///   corpora-dir                    where token shards are instead, or are besides
///   models/                        folders of models that were fetched from stores
///   restoring/                     what a restore has not finished
///   runs/NAME-ID/blobs/            parameters and contributions, addressed by content
///   runs/NAME-ID/checkpoints/      manifests; the parameters are blobs
///   runs/NAME-ID/tensorboard/
///   runs/NAME-ID/log.txt
/// </code>
/// </summary>
internal sealed class DataDirectory
{
    private const string LockName = "elastic.lock";
    private const string OwnerName = "elastic.pid";

    private readonly DataPaths _paths;

    /// <param name="corpora">Where built corpora are, when not in the directory: node.corpora-dir.</param>
    public DataDirectory(string path, string? corpora = null) => _paths = new DataPaths(Path.GetFullPath(path), corpora);

    public string Root => _paths.Root;

    public string Journal => _paths.Journal;

    public string Corpora => _paths.Corpora;

    /// <summary>The folders of built corpora that are there, see <see cref="DataPaths.AllCorpora"/>.</summary>
    public IEnumerable<string> AllCorpora => _paths.AllCorpora.Where(Directory.Exists);

    public string Runs => _paths.Runs;

    /// <inheritdoc cref="DataPaths.Texts"/>
    public string Texts => _paths.Texts;

    /// <inheritdoc cref="DataPaths.Pieces"/>
    public string Pieces => _paths.Pieces;

    /// <inheritdoc cref="DataPaths.Downloads"/>
    public string Downloads => _paths.Downloads;

    /// <summary>Models that were fetched from stores.</summary>
    public StoredModels Models => new(_paths.Models);

    /// <summary>The actor systems' log, and the details of defects.</summary>
    public string LogFile => Path.Combine(Root, "log.txt");

    public RunFolder Run(RunId run) => new(_paths.Run(run));

    /// <summary>The newest folder of the runs of that name; null where there is none.</summary>
    public RunFolder? FindRun(RunName name) => RunIds.Where(id => id.Name == name).Select(Run)
        .OrderByDescending(folder => Directory.GetCreationTimeUtc(folder.Root)).FirstOrDefault();

    /// <summary>Looks whether the directory is there and this user may read it: else it would look like an empty one.</summary>
    /// <exception cref="NotFoundException">It is not there.</exception>
    /// <exception cref="ElasticException">This user may not read it.</exception>
    public void CheckReadable()
    {
        if (!Directory.Exists(Root))
            throw new NotFoundException(
                $"there is no folder {Root}: name the data directory with --data-dir, or start a run, which makes it, with elastic train");
        try
        {
            foreach (var folder in new[] { Root, Runs }.Where(Directory.Exists))
                _ = Directory.EnumerateFileSystemEntries(folder).Any();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ElasticException($"the data directory {Root} may not be read by the user {Environment.UserName}: "
                + "give the command as the user whose it is, or name another one with --data-dir", e);
        }
    }

    /// <summary>The folder of a run that must exist already.</summary>
    /// <exception cref="NotFoundException">There is none, or no such data directory.</exception>
    /// <exception cref="ElasticException">This user may not read the data directory.</exception>
    public RunFolder ExistingRun(RunName name)
    {
        CheckReadable();
        if (FindRun(name) is { } folder)
            return folder;
        var names = RunIds.Select(id => id.Name.Value).Distinct().Order(StringComparer.Ordinal).ToList();
        throw new NotFoundException($"there is no run {name} in {Root}: " + (names.Count == 0
            ? "there are no runs at all; name the right folder with --data-dir, or start one with: elastic train"
            : $"there {(names.Count == 1 ? "is" : "are")} {string.Join(", ", names)}; "
                + "name one of them with --run, or another folder with --data-dir"));
    }

    /// <summary>The runs that have a folder here.</summary>
    public IEnumerable<RunId> RunIds => !Directory.Exists(Runs)
        ? []
        : Directory.EnumerateDirectories(Runs).Select(d => Path.GetFileName(d))
            .Where(name => Identifier.IsValid(name, 80)).Select(name => new RunId(name));

    /// <summary>
    /// Creates missing folders and takes the lock, which ends with the process at the latest. What the process writes from now on is for
    /// its user alone; so is the directory, if it was Elastic's before.
    /// </summary>
    public IDisposable Take()
    {
        PrivateFiles.Begin();
        if (File.Exists(Path.Combine(Root, LockName)))
            PrivateFiles.Protect(Root);
        try
        {
            foreach (var folder in new[] { Root, Runs })
                Directory.CreateDirectory(folder);
            _paths.MakeCorpora();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the data directory {Root} cannot be created: {e.Message} Choose another one with --data-dir", e);
        }

        // The operating system releases the lock whenever and however the process dies; a file that merely exists would stay.
        FileStream held;
        try
        {
            held = new FileStream(Path.Combine(Root, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ElasticException($"the data directory {Root} is not writable: {e.Message} Choose another one with --data-dir", e);
        }
        catch (IOException e) when (DiskSpace.IsExhausted(e))
        {
            throw new ElasticException(DiskProblem.Describe(e)!, e);
        }
        catch (IOException e)
        {
            throw new ElasticException($"the data directory {Root} is in use by {Owner()}: " +
                                       "wait for it or stop it, or choose another directory with --data-dir", e);
        }

        return new Lock(held, Path.Combine(Root, OwnerName));
    }

    // The locked file cannot be read while it is locked, so a file beside it holds the process id.
    private string Owner()
    {
        try
        {
            return $"process {File.ReadAllText(Path.Combine(Root, OwnerName)).Trim()}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "another process";
        }
    }

    private sealed class Lock : IDisposable
    {
        private readonly FileStream _held;
        private readonly string _owner;

        public Lock(FileStream held, string owner)
        {
            (_held, _owner) = (held, owner);
            File.WriteAllText(owner, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }

        public void Dispose()
        {
            File.Delete(_owner);
            _held.Dispose();
        }
    }
}

/// <summary>The folder of one run within a <see cref="DataDirectory"/>.</summary>
internal sealed record RunFolder(string Root)
{
    public string Blobs => Path.Combine(Root, "blobs");

    public string Checkpoints => Path.Combine(Root, "checkpoints");

    public string TensorBoard => Path.Combine(Root, "tensorboard");

    public string LogFile => Path.Combine(Root, "log.txt");
}
