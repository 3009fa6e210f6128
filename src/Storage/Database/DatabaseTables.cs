namespace Elastic.Storage;

/// <summary>
/// The tables. Those of the journal and its snapshots are what Akka.Persistence.Sql would create itself (a test compares them): it creates
/// them without a lock, which fails where several seeds start at once.
/// </summary>
public static class DatabaseTables
{
    public const string Sqlite = """
        CREATE TABLE IF NOT EXISTS journal (
          ordering INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
          created INTEGER NOT NULL,
          deleted BIT NOT NULL,
          persistence_id NVARCHAR(255) NOT NULL,
          sequence_number INTEGER NOT NULL,
          message VARBINARY NOT NULL,
          manifest NVARCHAR(500) NULL,
          identifier INTEGER NULL,
          writer_uuid NVARCHAR(128) NULL
        );
        CREATE UNIQUE INDEX IF NOT EXISTS journal_uq ON journal (persistence_id, sequence_number);
        CREATE TABLE IF NOT EXISTS tags (
          ordering_id INTEGER NOT NULL,
          tag NVARCHAR(64) NOT NULL,
          sequence_nr INTEGER NOT NULL,
          persistence_id NVARCHAR(255) NOT NULL,
          CONSTRAINT PK_tags PRIMARY KEY (ordering_id, tag)
        );
        CREATE TABLE IF NOT EXISTS snapshot (
          persistence_id NVARCHAR(255) NOT NULL,
          sequence_number INTEGER NOT NULL,
          created INTEGER NOT NULL,
          snapshot VARBINARY NULL,
          manifest NVARCHAR(500) NULL,
          serializer_id INTEGER NULL,
          CONSTRAINT PK_snapshot PRIMARY KEY (persistence_id, sequence_number)
        );
        """ + Indexes;

    public const string Postgres = """
        CREATE TABLE IF NOT EXISTS journal (
          ordering BIGINT GENERATED ALWAYS AS IDENTITY,
          created BIGINT NOT NULL,
          deleted BOOLEAN NOT NULL,
          persistence_id TEXT NOT NULL,
          sequence_number BIGINT NOT NULL,
          message BYTEA NOT NULL,
          manifest TEXT NULL,
          identifier INTEGER NULL,
          writer_uuid TEXT NULL,
          CONSTRAINT "PK_journal" PRIMARY KEY (ordering),
          CONSTRAINT journal_uq UNIQUE (persistence_id, sequence_number)
        );
        CREATE TABLE IF NOT EXISTS tags (
          ordering_id BIGINT NOT NULL,
          tag TEXT NOT NULL,
          sequence_nr BIGINT NOT NULL,
          persistence_id TEXT NOT NULL,
          CONSTRAINT "PK_tags" PRIMARY KEY (ordering_id, tag)
        );
        CREATE TABLE IF NOT EXISTS snapshot (
          persistence_id TEXT NOT NULL,
          sequence_number BIGINT NOT NULL,
          created BIGINT NOT NULL,
          snapshot BYTEA NULL,
          manifest TEXT NULL,
          serializer_id INTEGER NULL,
          CONSTRAINT "PK_snapshot" PRIMARY KEY (persistence_id, sequence_number)
        );
        """ + Indexes;

    // Milliseconds of the database's clock in expires, downed_at, seen and started_at.
    public const string Ours = """
        CREATE TABLE IF NOT EXISTS elastic_fence (
          run VARCHAR(255) NOT NULL PRIMARY KEY, term BIGINT NOT NULL, round INTEGER NOT NULL, version VARCHAR(64) NULL);
        CREATE TABLE IF NOT EXISTS elastic_runs (
          run VARCHAR(255) NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, started_at BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS elastic_leases (
          name VARCHAR(255) NOT NULL PRIMARY KEY, owner VARCHAR(255) NOT NULL, expires BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS elastic_downed (
          node VARCHAR(255) NOT NULL PRIMARY KEY, judge VARCHAR(255) NOT NULL, downed_at BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS elastic_seeds (
          address VARCHAR(255) NOT NULL PRIMARY KEY, seen BIGINT NOT NULL);
        """;

    private const string Indexes = """

        CREATE INDEX IF NOT EXISTS journal_created_idx ON journal (created);
        CREATE INDEX IF NOT EXISTS journal_sequence_number_idx ON journal (sequence_number);
        CREATE INDEX IF NOT EXISTS tags_persistence_id_sequence_nr_idx ON tags (persistence_id, sequence_nr);
        CREATE INDEX IF NOT EXISTS tags_tag_idx ON tags (tag);
        CREATE INDEX IF NOT EXISTS snapshot_created_idx ON snapshot (created);
        CREATE INDEX IF NOT EXISTS snapshot_sequence_number_idx ON snapshot (sequence_number);
        """;
}
