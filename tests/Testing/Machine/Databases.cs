using System.Globalization;
using Elastic.Storage;

namespace Elastic.Testing;

/// <summary>Empty databases of both kinds for the tests of this collection, which share one PostgreSQL server.</summary>
public sealed class Databases : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;
    private PostgresInstance? _postgres;
    private int _count;

    public async ValueTask InitializeAsync() => _postgres = await PostgresInstance.StartNewAsync();

    /// <summary>A database without a table.</summary>
    public async Task<DatabaseAddress> NewEmptyAsync(DatabaseKind kind)
    {
        var name = $"test{Interlocked.Increment(ref _count).ToString(CultureInfo.InvariantCulture)}";
        if (kind == DatabaseKind.Sqlite)
            return DatabaseAddress.Parse($"sqlite:{Path.Combine(_folder, name)}.db", _folder);
        await using (var connection = await DatabaseAddress.Parse(_postgres!.Url, _folder).OpenAsync(default))
            await connection.ExecuteAsync($"CREATE DATABASE {name}", default);
        return DatabaseAddress.Parse(_postgres.Url.Replace("/postgres", $"/{name}", StringComparison.Ordinal), _folder);
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
        Directory.Delete(_folder, true);
    }
}
