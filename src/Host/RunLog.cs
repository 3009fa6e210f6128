namespace Elastic.Host;

/// <summary>
/// What a person would want to read a week later: starts, rounds, notices, failures, each with its time (UTC). Opened for each line,
/// because there are few of them and a killed process must not lose the last ones. A log is not worth a run: errors are ignored.
/// </summary>
internal sealed class RunLog(string file)
{
    public void Write(string line)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.AppendAllText(file, $"{DateTimeOffset.UtcNow:yyyy-MM-dd HH:mm:ss} {line}\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The checkpoints of this run will say so loudly; see DiskProblem.
        }
    }
}
