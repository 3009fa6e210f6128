namespace Elastic.Pbm;

/// <summary>Where this machine's files are that pbm looks for without being told.</summary>
internal static class OwnFiles
{
    private const string DataVariable = "ELASTIC_DATA_DIR";
    private const string DataDir = "elastic-data";

    /// <summary>A file or a folder of the data directory of this machine, which need not exist.</summary>
    public static string InDataDirectory(string name) => Path.GetFullPath(Path.Combine(Variable(DataVariable) ?? DataDir, name));

    /// <summary>The value of an environment variable; null where it is empty.</summary>
    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
