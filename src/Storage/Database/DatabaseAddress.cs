using System.Data.Common;
using System.Globalization;
using Elastic.Foundation;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Elastic.Storage;

/// <summary>The two kinds of database, which differ in how they lock and in what their clock is called.</summary>
public enum DatabaseKind { Sqlite, Postgres }

/// <summary>
/// Where the seeds keep what must survive all of them: the journal, the commit fence, the leases and the list of the downed seeds.
/// Workers never have one.
/// </summary>
public sealed class DatabaseAddress
{
    // How long opening a connection may take. A database that is slower than this counts as down.
    private const int ConnectSeconds = 5;

    // How long the journal's statements, and the begin of our transactions, wait for SQLite's only writer. See DatabaseCalls for our
    // statements.
    private const int BusySeconds = 15;

    private const string Hidden = "***";
    private const string PasswordFile = "password-file";

    private readonly string _shown;

    private DatabaseAddress(DatabaseKind kind, string connectionString, string shown) =>
        (Kind, ConnectionString, _shown) = (kind, connectionString, shown);

    public DatabaseKind Kind { get; }

    /// <summary>What linq2db calls the database.</summary>
    public string ProviderName => Kind == DatabaseKind.Sqlite ? "SQLite.MS" : "PostgreSQL.15";

    /// <summary>The address with the password, so it is not for people; <see cref="ToString"/> is.</summary>
    public string ConnectionString { get; }

    /// <summary>Whether its connections refuse to write.</summary>
    internal bool IsReadOnly { get; private init; }

    /// <summary>Whether it is a SQLite file that is not there; a seed makes it.</summary>
    internal bool IsMissing =>
        Kind == DatabaseKind.Sqlite && !File.Exists(new SqliteConnectionStringBuilder(ConnectionString).DataSource);

    /// <summary>Reads an address as people type it.</summary>
    /// <param name="text">
    /// Nothing for <c>journal.db</c> in the data directory; <c>sqlite:PATH</c>, which several seeds of one machine may share;
    /// or <c>postgres://user:password@host:port/database</c>, whose query (<c>?sslmode=require</c>) goes to Npgsql, but for
    /// <c>password-file=PATH</c>: the password is the first line of that file, so that it stands in no command line and no configuration.
    /// </param>
    /// <exception cref="ElasticException">It is something else, or a part of it is missing or unknown.</exception>
    public static DatabaseAddress Parse(string? text, string dataDir)
    {
        ArgumentNullException.ThrowIfNull(dataDir);
        if (string.IsNullOrWhiteSpace(text))
            return Sqlite(Path.Combine(dataDir, "journal.db"));
        text = text.Trim();
        if (text.StartsWith("sqlite:", StringComparison.OrdinalIgnoreCase))
        {
            var path = text["sqlite:".Length..];
            return path.Length > 0
                ? Sqlite(path)
                : throw new ElasticException(
                    $"the database {text} names no file: write sqlite:PATH, e.g. sqlite:/var/lib/elastic/journal.db");
        }
        return text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase)
            ? Postgres(text)
            // The message does not repeat the text, which may hold a password.
            : throw new ElasticException("the database is neither a SQLite file nor a PostgreSQL address: write sqlite:PATH or " +
                                         "postgres://user:password@host:port/database, or nothing for journal.db in the data directory");
    }

    /// <summary>An address as people type it, without its passwords: for people, right or wrong as it may be.</summary>
    /// <remarks>
    /// A password with characters that should have been escaped breaks the address at any of them, so nothing is shown that could be a part
    /// of one: not what stands before the last @, not an option that Npgsql does not know, and of a text that is no address nothing.
    /// </remarks>
    public static string WithoutPassword(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0 || text.StartsWith("sqlite:", StringComparison.OrdinalIgnoreCase))
            return text;
        if (text.IndexOf("://", StringComparison.Ordinal) is not (>= 0 and var scheme))
            return Hidden;
        var (colon, at) = (text.IndexOf(':', scheme + 3), text.LastIndexOf('@'));
        if (colon >= 0 && colon < at)
            text = $"{text[..colon]}:{Hidden}{text[at..]}";
        else if (colon >= 0 && at < scheme && !Uri.TryCreate($"postgres{text[scheme..]}", UriKind.Absolute, out _))
            return $"{text[..colon]}:{Hidden}";                            // user:password, and the host was forgotten
        var parts = text.Split('#')[0].Split('?', '&');
        return parts.Length == 1 ? parts[0] : $"{parts[0]}?{string.Join('&', parts.Skip(1).Select(OptionWithoutPassword))}";
    }

    private static string OptionWithoutPassword(string option) =>
        option.Split('=', 2) is [var name, _] && (name == PasswordFile || IsHarmless(KeyOf(Uri.UnescapeDataString(name))))
            ? option
            : option.Contains('=', StringComparison.Ordinal) ? $"{option.Split('=')[0]}={Hidden}" : Hidden;

    // One that Npgsql knows, and that is no password; "passfile" names a file.
    private static bool IsHarmless(string key) =>
        new NpgsqlConnectionStringBuilder().ContainsKey(key)
        && key.Replace(" ", "", StringComparison.Ordinal) is not ("PASSWORD" or "PWD" or "PSW" or "SSLPASSWORD");

    /// <summary>Opens a connection, which the caller disposes of.</summary>
    /// <exception cref="DbException">The database is down, or refuses.</exception>
    public async Task<DbConnection> OpenAsync(CancellationToken cancel)
    {
        DbConnection connection = Kind == DatabaseKind.Sqlite
            ? new SqliteConnection(ConnectionString)
            : new NpgsqlConnection(ConnectionString);
        try
        {
            await connection.OpenAsync(cancel);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates what is not there yet: the tables of the journal and ours. Any number of seeds may do so at once.</summary>
    /// <param name="say">Gets a sentence whenever an attempt fails: why, and when the next one is.</param>
    /// <exception cref="ElasticException">A problem of a SQLite file that waiting does not solve: not a database, no room, no
    /// permission.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; until then it waits for the database for ever.</exception>
    public Task PrepareAsync(Action<string> say, CancellationToken cancel) => DatabasePreparation.RunAsync(this, say, cancel);

    /// <summary>The address of the same database for reading only, while others may write to it.</summary>
    public DatabaseAddress ReadOnly() => new(Kind, Kind == DatabaseKind.Sqlite
        ? new SqliteConnectionStringBuilder(ConnectionString) { Mode = SqliteOpenMode.ReadOnly }.ToString()
        : new NpgsqlConnectionStringBuilder(ConnectionString)
        {
            Options = $"{new NpgsqlConnectionStringBuilder(ConnectionString).Options} -c default_transaction_read_only=on".TrimStart(),
        }.ToString(), _shown)
    {
        IsReadOnly = true,
    };

    /// <summary>
    /// The address of the same database, through connections of its own: one of the pool goes on with the file that it opened, also where
    /// another file has taken its place.
    /// </summary>
    public DatabaseAddress Fresh() => Kind == DatabaseKind.Sqlite
        ? new(Kind, new SqliteConnectionStringBuilder(ConnectionString) { Pooling = false }.ToString(), _shown)
        {
            IsReadOnly = IsReadOnly,
        }
        : this;

    /// <summary>
    /// Closes the database's connections in the pool once nobody uses them, also those for reading only, so that the next ones open the
    /// file that is there.
    /// </summary>
    public void Reopen()
    {
        if (Kind != DatabaseKind.Sqlite)
            return;
        foreach (var address in (DatabaseAddress[])[this, ReadOnly()])
        {
            using var connection = new SqliteConnection(address.ConnectionString);
            SqliteConnection.ClearPool(connection);
        }
    }

    /// <summary>The address without the password.</summary>
    public override string ToString() => _shown;

    /// <summary>The database of a connection string that <see cref="ConnectionString"/> gave.</summary>
    public static DatabaseAddress Of(DatabaseKind kind, string connectionString) => new(kind, connectionString, "the configured database");

    private static DatabaseAddress Sqlite(string path)
    {
        var full = Path.GetFullPath(path);
        var connection = new SqliteConnectionStringBuilder { DataSource = full, DefaultTimeout = BusySeconds };
        return new DatabaseAddress(DatabaseKind.Sqlite, connection.ToString(), $"sqlite:{full}");
    }

    private static DatabaseAddress Postgres(string text)
    {
        const string form = "write postgres://user:password@host:port/database";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
            throw new ElasticException(
                $"the address of the PostgreSQL database cannot be read: {form}, with %40 for an @ in the password, %2F for a /");
        var database = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/'));
        if (database.Length == 0)
            throw new ElasticException($"the address of the PostgreSQL database at {uri.Host} names no database: {form}");

        var connection = new NpgsqlConnectionStringBuilder
        {
            // Npgsql takes a list of host:port here, so an IPv6 address keeps its brackets.
            Host = uri.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost,
            Port = uri.Port > 0 ? uri.Port : NpgsqlConnection.DefaultPort,
            Database = database,
            Timeout = ConnectSeconds,
            ApplicationName = "elastic",
        };
        var user = uri.UserInfo.Split(':', 2);
        if (user[0].Length > 0)
            connection.Username = Uri.UnescapeDataString(user[0]);
        if (user.Length == 2)
            connection.Password = Uri.UnescapeDataString(user[1]);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
            Pass(connection, pair.Split('=', 2).Select(Uri.UnescapeDataString).ToArray());

        var shown = $"postgres://{(user[0].Length > 0 ? $"{user[0]}@" : "")}{uri.Host}:" +
                    $"{connection.Port.ToString(CultureInfo.InvariantCulture)}/{database}";
        return new DatabaseAddress(DatabaseKind.Postgres, connection.ToString(), shown);
    }

    private static string PasswordIn(string path)
    {
        const int most = 4096;
        try
        {
            return RegularFile.ReadText(path, most).Split('\n')[0].TrimEnd('\r') is { Length: > 0 } password
                ? password
                : throw new ElasticException($"the {PasswordFile} {path} begins with an empty line: write the password there");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"the {PasswordFile} {path} of the PostgreSQL database cannot be read ({e.Message.TrimEnd('.')}): mend that", e);
        }
    }

    // libpq writes sslmode=verify-full and connect_timeout=5; Npgsql has VerifyFull, and spaces for underscores.
    private static string KeyOf(string option) => option.ToUpperInvariant() switch
    {
        "SSLROOTCERT" => "Root Certificate",
        "SSLCERT" => "SSL Certificate",
        "SSLKEY" => "SSL Key",
        "CONNECT_TIMEOUT" => "Timeout",
        var other => other.Replace('_', ' '),
    };

    private static void Pass(NpgsqlConnectionStringBuilder connection, string[] option)
    {
        if (option is [PasswordFile, var path])
        {
            connection.Password = PasswordIn(path);
            return;
        }

        var key = KeyOf(option[0]);
        var value = option.ElementAtOrDefault(1) ?? "";
        try
        {
            connection[key] = key == "SSLMODE" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or KeyNotFoundException)
        {
            throw new ElasticException($"the address of the PostgreSQL database has an option {option[0]} that Npgsql does not take " +
                                       $"({e.Message}): leave it out, or see Npgsql's connection string parameters", e);
        }
    }
}
