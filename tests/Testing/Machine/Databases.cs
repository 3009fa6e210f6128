using System.Globalization;
using Elastic.Storage;

namespace Elastic.Testing;

/// <summary>Empty databases of both kinds for the tests of this collection, which share one PostgreSQL server.</summary>
public sealed class Databases : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;
    private readonly SemaphoreSlim _starting = new(1);
    private PostgresInstance? _postgres;
    private int _count;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>A database without a table. The test is skipped where PostgreSQL is asked for and not installed.</summary>
    public async Task<DatabaseAddress> NewEmptyAsync(DatabaseKind kind)
    {
        var name = $"test{Interlocked.Increment(ref _count).ToString(CultureInfo.InvariantCulture)}";
        if (kind == DatabaseKind.Sqlite)
            return DatabaseAddress.Parse($"sqlite:{Path.Combine(_folder, name)}.db", _folder);
        var postgres = await PostgresAsync();
        await using (var connection = await DatabaseAddress.Parse(postgres.Url, _folder).OpenAsync(default))
            await connection.ExecuteAsync($"CREATE DATABASE {name}", default);
        return DatabaseAddress.Parse(postgres.Url.Replace("/postgres", $"/{name}", StringComparison.Ordinal), _folder);
    }

    /// <summary>A database with its tables.</summary>
    public async Task<DatabaseAddress> NewAsync(DatabaseKind kind)
    {
        var database = await NewEmptyAsync(kind);
        await database.PrepareAsync(why => throw new InvalidOperationException(why), default);
        return database;
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
            await _postgres.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _starting.Dispose();
        Directory.Delete(_folder, true);
    }

    /// <summary>The server, which is started for the first test that asks for it.</summary>
    public async Task<PostgresInstance> PostgresAsync()
    {
        await _starting.WaitAsync();
        try
        {
            return _postgres ??= await PostgresInstance.StartNewAsync();
        }
        finally
        {
            _starting.Release();
        }
    }
}
