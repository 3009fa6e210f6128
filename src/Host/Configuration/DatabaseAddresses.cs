using Elastic.Foundation;
using Elastic.Host.Commands;
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

    /// <summary>
    /// The journal of what is in a data directory: that of <c>--database</c>, else the directory's own file where that is there, else that
    /// of ELASTIC_DATABASE. The variable is a seed's: <c>elastic train</c> keeps its journal in the directory whatever the variable says.
    /// </summary>
    /// <returns>Null where none is named and the directory has none, as on a worker.</returns>
    /// <exception cref="SettingsException">What names it is no address of a database.</exception>
    public static DatabaseAddress? JournalOf(string? option, DataDirectory data)
    {
        var hasOwn = File.Exists(data.Journal);
        var url = option ?? (hasOwn ? null : CommonOptions.EnvironmentDatabase);
        if (Problems(url).ToList() is { Count: > 0 } problems)
            throw new SettingsException(problems);
        return url is null && !hasOwn ? null : DatabaseAddress.Parse(url, data.Root);
    }

    /// <summary>
    /// Another journal than the data directory's own file that <c>--database</c> names, else ELASTIC_DATABASE, where that file is there,
    /// too; null for none.
    /// </summary>
    /// <inheritdoc cref="JournalOf" path="/exception"/>
    public static DatabaseAddress? BesideOwn(string? option, DataDirectory data) =>
        File.Exists(data.Journal) && (option ?? CommonOptions.EnvironmentDatabase) is { } url && JournalOf(url, data) is { } named
            && !IsOwn(named, data) ? named : null;

    /// <summary>
    /// What to know where the directory's own journal was read and ELASTIC_DATABASE names another one, which may be the one that is meant;
    /// null where nothing else can be meant.
    /// </summary>
    /// <inheritdoc cref="JournalOf" path="/exception"/>
    public static string? Remark(string? option, DataDirectory data) => option is null && BesideOwn(null, data) is not null
        ? $"this is of {data.Journal}; for the database that ELASTIC_DATABASE names give --database" : null;

    /// <summary>Whether that is the data directory's own file, which only one process at a time has.</summary>
    public static bool IsOwn(DatabaseAddress journal, DataDirectory data) =>
        journal.ConnectionString == DatabaseAddress.Parse(null, data.Root).ConnectionString;
}
