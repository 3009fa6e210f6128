using Elastic.Messages.Runs;
using Elastic.Storage;
using Microsoft.Data.Sqlite;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>The run's events and when each was stored, read from the seeds' SQLite file while they write it.</summary>
internal sealed class JournalTimes(string path)
{
    private readonly List<(DateTime At, RunEvent Event)> _events = [];
    private long _last;

    /// <summary>All that were stored so far, oldest first.</summary>
    public IReadOnlyList<(DateTime At, RunEvent Event)> Read()
    {
        if (!File.Exists(path))
            return _events;
        using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT ordering, created, manifest, message FROM journal WHERE ordering > $last ORDER BY ordering";
        command.Parameters.AddWithValue("$last", _last);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            _last = reader.GetInt64(0);
            var e = EventCodec.Default.Read(reader.GetString(2), reader.GetFieldValue<byte[]>(3));
            _events.Add((new DateTime(reader.GetInt64(1), DateTimeKind.Utc), e));
        }

        return _events;
    }

    /// <summary>The commits so far, oldest first.</summary>
    public IReadOnlyList<(DateTime At, RunEvent.RoundCommitted Commit)> Commits() =>
        [.. Read().Where(e => e.Event is RunEvent.RoundCommitted).Select(e => (e.At, (RunEvent.RoundCommitted)e.Event))];
}
