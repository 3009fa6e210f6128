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
        CREATE TABLE IF NOT EXISTS elastic_cursors (
          name VARCHAR(255) NOT NULL PRIMARY KEY, last BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS elastic_builds (
          build VARCHAR(255) NOT NULL PRIMARY KEY, seed VARCHAR(255) NOT NULL, path TEXT NOT NULL, manifest TEXT NOT NULL,
          sets TEXT NOT NULL, who TEXT NOT NULL, started_at BIGINT NOT NULL, state VARCHAR(16) NOT NULL, note TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS elastic_build_pieces (
          build VARCHAR(255) NOT NULL, number BIGINT NOT NULL, pieces TEXT NOT NULL, PRIMARY KEY (build, number));
        """;

    /// <summary>What <see cref="SqliteTail"/> and <see cref="PostgresTail"/> say when they refuse an event.</summary>
    public const string GapRefused = "elastic: the event before this one is not in the journal";

    /// <summary>
    /// An event goes behind the one before it, or nowhere. A supervisor counts its events itself: where the database was set back to an
    /// older state meanwhile, the next event would leave a gap that nobody could fill.
    /// </summary>
    public const string SqliteTail = $"""
        CREATE TRIGGER IF NOT EXISTS elastic_journal_tail BEFORE INSERT ON journal
        WHEN NEW.sequence_number > 1 AND NOT EXISTS (SELECT 1 FROM journal
          WHERE persistence_id = NEW.persistence_id AND sequence_number = NEW.sequence_number - 1)
        BEGIN SELECT RAISE(ABORT, '{GapRefused}'); END;
        """;

    /// <inheritdoc cref="SqliteTail"/>
    public const string PostgresTail = $"""
        CREATE OR REPLACE FUNCTION elastic_journal_tail() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
          IF NEW.sequence_number > 1 AND NOT EXISTS (SELECT 1 FROM journal
            WHERE persistence_id = NEW.persistence_id AND sequence_number = NEW.sequence_number - 1) THEN
            RAISE EXCEPTION '{GapRefused}';
          END IF;
          RETURN NEW;
        END $body$;
        DO $body$ BEGIN
          IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'elastic_journal_tail' AND tgrelid = 'journal'::regclass) THEN
            CREATE TRIGGER elastic_journal_tail BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION elastic_journal_tail();
          END IF;
        END $body$;
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
