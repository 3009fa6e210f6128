namespace Elastic.Host;

/// <summary>
/// What a person would want to read a week later: starts, rounds, notices, failures, each with its time (UTC). Opened for each line,
/// because there are few of them and a killed process must not lose the last ones. A log is not worth a run: errors are ignored.
/// </summary>
/// <param name="file">Null until it is known where; what is written until then waits.</param>
internal sealed class RunLog(string? file)
{
    private readonly Lock _gate = new();                              // several threads have something to say
    private readonly List<string> _waiting = [];
    private string? _file = file;

    /// <summary>It is known now where the log is.</summary>
    public void Open(string path)
    {
        lock (_gate)
        {
            _file = path;
            Append([.. _waiting]);
            _waiting.Clear();
        }
    }

    public void Write(string line)
    {
        var dated = $"{DateTimeOffset.UtcNow:yyyy-MM-dd HH:mm:ss} {line}\n";
        lock (_gate)
        {
            if (_file is null)
                _waiting.Add(dated);
            else
                Append([dated]);
        }
    }

    private void Append(string[] lines)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_file)!);
            File.AppendAllText(_file!, string.Concat(lines));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The checkpoints of this run will say so loudly; see DiskProblem.
        }
    }
}
