using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>Where a backup is made. Files have the names that they have in a data directory, with '/' between folders.</summary>
public abstract class BackupPlace
{
    /// <summary>What people call it.</summary>
    public abstract override string ToString();

    /// <summary>Gets ready: looks at what is there, makes what is missing.</summary>
    public abstract Task BeginAsync(CancellationToken cancel);

    /// <summary>Removes what <see cref="BeginAsync"/> has made, where the backup has failed before anything came there.</summary>
    public virtual void Abandon()
    {
    }

    /// <summary>What an earlier backup holds; null where there is none.</summary>
    /// <exception cref="ElasticException">What is there is of another version.</exception>
    public abstract Task<BackupManifest?> EarlierAsync(CancellationToken cancel);

    /// <summary>A name for the journal's copy, which <see cref="CompleteAsync"/> takes.</summary>
    public abstract string JournalCopy();

    /// <summary>True where <see cref="CopyAsync"/> would copy nothing.</summary>
    /// <exception cref="FileNotFoundException">The file is gone.</exception>
    public abstract bool Has(string path, string name);

    /// <summary>Whether a file of that name is there, whatever its length.</summary>
    public abstract bool Holds(string name);

    /// <summary>
    /// Copies a file, unless one of its name and length is there: what has a name from its content is the same then. Manifests of
    /// checkpoints have not, and are copied each time.
    /// </summary>
    /// <exception cref="FileNotFoundException">It is gone.</exception>
    public abstract Task CopyAsync(string path, string name, CancellationToken cancel);

    /// <summary>
    /// Makes all that was copied the backup: the journal, then the manifest. What only the earlier backup of these runs had goes last.
    /// </summary>
    /// <param name="journal">From <see cref="JournalCopy"/>; null where the journal is elsewhere.</param>
    public abstract Task CompleteAsync(string? journal, BackupManifest manifest, CancellationToken cancel);
}
