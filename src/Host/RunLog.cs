using Elastic.Foundation;

namespace Elastic.Host;

/// <summary>The log for a person who reads it a week later: starts, rounds, notices, failures, each with its time in UTC.</summary>
/// <param name="file">Null until the path is known; lines that are written until then wait.</param>
internal sealed class RunLog(string? file)
{
    private readonly Lock _gate = new();                              // several threads write
    private readonly List<string> _waiting = [];
    private LogFile? _file = file is null ? null : new LogFile(file);

    /// <summary>Sets the path, and writes the lines that wait.</summary>
    public void Open(string path)
    {
        lock (_gate)
        {
            _file = new LogFile(path);
            _file.Append(string.Concat(_waiting));
            _waiting.Clear();
        }
    }

    public void Write(string line)
    {
        var dated = $"{DateTimeOffset.UtcNow:yyyy-MM-dd HH:mm:ss}Z {line}\n";
        lock (_gate)
        {
            if (_file is null)
                _waiting.Add(dated);
            else
                _file.Append(dated);
        }
    }
}
