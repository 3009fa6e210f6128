using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Host.Configuration;

/// <summary>Checks an address of a database before anything is started: a wrong one is wrong usage, as any other wrong value is.</summary>
internal static class DatabaseAddresses
{
    /// <summary>What is wrong with the address; nothing for none. The password is not repeated.</summary>
    public static IEnumerable<string> Problems(string? url)
    {
        try
        {
            DatabaseAddress.Parse(url, Path.GetTempPath());
            return [];
        }
        catch (ElasticException e)
        {
            return [$"node.database is wrong: {e.Message}"];
        }
    }

    /// <summary>The address that <c>--database</c> gives, else ELASTIC_DATABASE.</summary>
    /// <exception cref="SettingsException">It is no address of a database.</exception>
    public static string? Checked(string? option)
    {
        var url = option ?? Commands.CommonOptions.EnvironmentDatabase;
        return Problems(url).ToList() is { Count: > 0 } problems ? throw new SettingsException(problems) : url;
    }
}
