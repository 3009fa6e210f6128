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

    private const int LargestFile = 16 << 20;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public void Write(string folder) =>
        DurableFile.WriteDurably(Path.Combine(folder, FileName), JsonSerializer.SerializeToUtf8Bytes(this, Json));

    /// <exception cref="ElasticException">The folder is no backup.</exception>
    public static BackupManifest Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return JsonSerializer.Deserialize<BackupManifest>(RegularFile.Read(path, LargestFile), Json)
                is { Format: 1, Runs: not null } read
                ? read
                : throw new ElasticException($"{path} is of another version of Elastic");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ElasticException(
                $"{folder} is no backup, or one that was not made to its end ({OneLine.Of(e.Message)}): "
                + "name the folder that elastic backup --out has made", e);
        }
    }
}
