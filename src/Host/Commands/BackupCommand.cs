using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.ObjectStore;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary><c>elastic backup</c> and <c>elastic restore</c>: a copy of what a seed cannot do without, and the way back.</summary>
internal static class BackupCommand
{
    public static Command Build()
    {
        var (dataDir, database) = (CommonOptions.DataDir(), CommonOptions.Database());
        var to = new Option<string>("--out")
        {
            Description = "The folder of the backup, or s3://BUCKET/PREFIX of an S3-compatible store. A backup that is there is brought up "
                + "to date: what it has is not copied again.",
            HelpName = "DIR|s3://...",
            Required = true,
        };
        var json = CommandOutput.Option();
        var command = new TeachingCommand("backup",
            "Copies the journal, the newest checkpoint of each run and the corpora to another folder or store, also while the seed works. "
            + "Certificates and tokens are not copied; a journal in PostgreSQL is backed up with its own tools.",
            """
            elastic backup --out /backup/elastic                       the folder elastic-data
            elastic backup --data-dir seed --out /backup/elastic       again every hour: only what is new is copied
            elastic backup --out s3://bucket/elastic                   to a store; --set node.backup-store does so by itself
            elastic restore --from /backup/elastic --data-dir seed     on this or another machine; then elastic seed --data-dir seed
            """)
        { to, dataDir, database, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            data.CheckReadable();
            var source = DatabaseAddresses.JournalOf(parsed.GetValue(database), data);
            if (parsed.GetValue(database) is null && DatabaseAddresses.BesideOwn(null, data) is { } other)
                throw new ElasticException(
                    $"{data.Journal} is a journal, and ELASTIC_DATABASE names another one, {other}: the file may be what a seed has left "
                    + "that works with the other one now, so nothing was copied. Say which one is meant: --database "
                    + $"sqlite:{data.Journal}, or --database with the address that ELASTIC_DATABASE has");
            using var bucket = S3Address.Is(parsed.GetValue(to)!) ? BackupBucket.At(parsed.GetValue(to)!) : null;
            var place = bucket is null ? Path.GetFullPath(parsed.GetValue(to)!) : null;
            if (place is not null)
            {
                CheckPlace(data, place);
                WritePlace.Check(place, to.Name);
            }

            PrivateFiles.Begin();
            var backup = new DataBackup(
                new DataPaths(data.Root), source, bucket ?? (BackupPlace)new BackupFolder(new DataPaths(place!)),
                text => error.WriteLine(text));
            var manifest = place is null ? await backup.RunAsync(cancel)
                : await WritePlace.WriteAsync(place, $"name another folder with {to.Name}", () => backup.RunAsync(cancel));
            Say(output, manifest);
            if (!manifest.Journal)
                await error.WriteLineAsync($"the journal is in {source}: back it up with pg_dump, before this command each time");
            var bytes = place is null ? (long?)null : KeptRuns.SizeOf(place);
            output.Say(bytes is { } size ? $"{Units.Bytes(size)} in {place}" : $"in {bucket}");
            output.Result(Json(manifest, "backup", place ?? bucket!.ToString()!, bytes));
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command BuildRestore()
    {
        var dataDir = CommonOptions.DataDir();
        var from = new Option<string>("--from")
        {
            Description = "What elastic backup --out or node.backup-store has made: a folder, or s3://BUCKET/PREFIX.",
            HelpName = "DIR|s3://...",
            Required = true,
        };
        var json = CommandOutput.Option();
        var command = new TeachingCommand("restore",
            "Makes a seed's data directory of a backup, after all of it was compared with its digests. A run goes on where the backup's "
            + "journal ends; what nodes have computed since counts where they still have it, and is computed again to the same weights "
            + "where they have not.",
            """
            elastic restore --from /backup/elastic --data-dir seed
            elastic restore --from s3://bucket/elastic                 from a store; what an interrupted one has fetched is used
            elastic seed --data-dir seed                               at the old address, or restart the workers with the new one
            """)
        { from, dataDir, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = CommandOutput.Of(parsed, json);
            // The folder may be made by this command.
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            using var bucket = S3Address.Is(parsed.GetValue(from)!) ? BackupBucket.At(parsed.GetValue(from)!) : null;
            // On the disk of the data directory, so that it becomes a part of it without a copy.
            var backup = bucket is null ? Path.GetFullPath(parsed.GetValue(from)!) : Path.Combine(data.Root, "restoring");
            if (bucket is null)
                CheckPlace(data, backup);
            // Before the lock makes a folder.
            var found = bucket is null ? BackupManifest.Read(backup) : await bucket.ReadManifestAsync(cancel);
            using var held = data.Take();
            DataRestore.CheckEmpty(new DataPaths(data.Root), found);
            if (bucket is not null)
                await bucket.FetchAsync(backup, cancel);
            var manifest = await new DataRestore(
                new DataPaths(backup), new DataPaths(data.Root), parsed.InvocationConfiguration.Error.WriteLine, moves: bucket is not null)
                .RunAsync(cancel);
            Say(output, manifest);
            output.Say($"restored to {data.Root}: start it with elastic seed --data-dir {data.Root}");
            output.Result(Json(manifest, "restored", data.Root, null));
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Say(CommandOutput output, BackupManifest manifest) => output.Say(manifest.Runs.Select(run =>
        $"run {run.Run}   {Units.Many(run.Round, "round")}   checkpoint "
        + $"{(run.Checkpoint is { } round ? $"after round {round}" : "none")}   corpus {run.Corpus?[..12] ?? "not here"}"));

    private static JsonObject Json(BackupManifest manifest, string key, string place, long? bytes) => new()
    {
        [key] = place,
        ["bytes"] = bytes,
        ["journal"] = manifest.Journal,
        ["runs"] = new JsonArray([.. manifest.Runs.Select(run => new JsonObject
        {
            ["runId"] = run.Run, ["round"] = run.Round, ["checkpointRound"] = run.Checkpoint, ["corpus"] = run.Corpus,
        })]),
    };

    private static void CheckPlace(DataDirectory data, string place)
    {
        if (IsWithin(place, data.Root) || IsWithin(data.Root, place))
            throw new ElasticException($"{place} and the data directory {data.Root} are one in the other: name a folder elsewhere");
    }

    private static bool IsWithin(string inner, string outer) => inner == outer
        || inner.StartsWith(Path.TrimEndingDirectorySeparator(outer) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
