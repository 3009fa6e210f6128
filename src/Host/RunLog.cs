namespace Elastic.Host;

/// <summary>
/// The log for a person who reads it a week later: starts, rounds, notices, failures, each with its time (UTC). Opens the file for each
/// line, because there are few lines and a killed process must not lose the last ones. Ignores errors: a log must not end a run.
/// </summary>
/// <param name="file">Null until the path is known; lines that are written until then wait.</param>
internal sealed class RunLog(string? file)
{
    private readonly Lock _gate = new();                              // several threads write
    private readonly List<string> _waiting = [];
    private string? _file = file;

    /// <summary>Sets the path, and writes the lines that wait.</summary>
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
            // The run's checkpoints will report the same disk; see DiskProblem.
        }
    }
}
