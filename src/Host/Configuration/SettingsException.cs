using Elastic.Foundation;

namespace Elastic.Host.Configuration;

/// <summary>The configuration or the command line is wrong; one line per problem. The command has started nothing yet.</summary>
public sealed class SettingsException : ElasticException
{
    public SettingsException() { }

    public SettingsException(string message) : base(message) { }

    public SettingsException(string message, Exception inner) : base(message, inner) { }

    /// <summary>Reports all problems at once, so that nobody fixes one only to see the next.</summary>
    public SettingsException(IEnumerable<string> problems) : base(string.Join('\n', problems)) { }
}
