using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>A run in a backup.</summary>
/// <param name="Run">Its id.</param>
/// <param name="Round">Rounds that the journal has committed.</param>
/// <param name="Checkpoint">Round of the checkpoint that is here; null where there is none.</param>
/// <param name="Corpus">Digest of the corpus that is here; null where it is not.</param>
public sealed record BackedUpRun(string Run, int Round, int? Checkpoint, string? Corpus);

/// <summary><c>backup.json</c>, written last: a folder that has it is a backup, whole when it was made.</summary>
/// <param name="Format">1.</param>
/// <param name="Journal">False where the journal is in a database of its own, whose backup is not Elastic's business.</param>
public sealed record BackupManifest(int Format, bool Journal, IReadOnlyList<BackedUpRun> Runs)
{
    public const string FileName = "backup.json";

    /// <summary>The node whose data directory it is of; null where nobody has noted it.</summary>
    public string? Node { get; init; }

    internal const int LargestFile = 16 << 20;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <exception cref="NotFoundException">There is no such folder.</exception>
    /// <exception cref="ElasticException">The folder is no backup.</exception>
    public static BackupManifest Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new NotFoundException($"there is no folder {folder}: name the one that elastic backup --out has made");
        try
        {
            return Parse(RegularFile.Read(Path.Combine(folder, FileName), LargestFile), folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NoBackup(folder, e);
        }
    }

    /// <param name="place">Where it is from, for messages.</param>
    /// <exception cref="ElasticException">The bytes are no manifest.</exception>
    internal static BackupManifest Parse(byte[] bytes, string place)
    {
        try
        {
            var read = JsonSerializer.Deserialize<BackupManifest>(bytes, Json);
            return read is { Format: 1, Runs: not null } ? read
                : throw new ElasticException($"{FileName} in {place} is of another version of Elastic");
        }
        catch (JsonException e)
        {
            throw NoBackup(place, e);
        }
    }

    private static ElasticException NoBackup(string place, Exception e) => new(
        $"{place} is no backup, or one that was not made to its end ({OneLine.Of(e.Message)}): "
        + "name the folder that elastic backup --out has made", e);
}
