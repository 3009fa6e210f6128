using Elastic.Foundation;

namespace Elastic.Host.Configuration;

/// <summary>The configuration or the command line is wrong; one line per problem. Nothing has been started yet.</summary>
public sealed class SettingsException : ElasticException
{
    public SettingsException() { }

    public SettingsException(string message) : base(message) { }

    public SettingsException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Reports all that is wrong at once, so that nobody mends one line only to see the next.</summary>
    public SettingsException(IEnumerable<string> problems) : base(string.Join('\n', problems)) { }
}
