using System.CommandLine;
using Elastic.Foundation;
using Elastic.Host.Display;
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
            Description = "The folder of the backup. One that is there is brought up to date: what it has is not copied again.",
            HelpName = "DIR",
            Required = true,
        };
        var command = new TeachingCommand("backup",
            "Copies the journal, the newest checkpoint of each run and the corpora to another folder, also while the seed works. "
            + "Certificates and tokens are not copied; a journal in PostgreSQL is backed up with its own tools.",
            """
            elastic backup --out /backup/elastic                       the folder elastic-data
            elastic backup --data-dir seed --out /backup/elastic       again every hour: only what is new is copied
            elastic restore --from /backup/elastic --data-dir seed     on this or another machine; then elastic seed --data-dir seed
            """)
        { to, dataDir, database };
        command.SetAction(async (parsed, cancel) =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            var (data, place) = (CommonOptions.OpenDataDirectory(parsed, dataDir), Path.GetFullPath(parsed.GetValue(to)!));
            CheckPlace(data, place);
            PrivateFiles.Begin();
            var address = parsed.GetValue(database) ?? CommonOptions.EnvironmentDatabase;
            var source = address is null && !File.Exists(data.Journal) ? null : DatabaseAddress.Parse(address, data.Root);
            var manifest = await new DataBackup(
                new DataPaths(data.Root), source, new DataPaths(place), text => error.WriteLine(text)).RunAsync(cancel);
            await WriteAsync(output, manifest);
            if (!manifest.Journal)
                await error.WriteLineAsync($"the journal is in {source}: back it up with pg_dump, before this command each time");
            await output.WriteLineAsync($"{Units.Bytes(KeptRuns.SizeOf(place))} in {place}");
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command BuildRestore()
    {
        var dataDir = CommonOptions.DataDir();
        var from = new Option<string>("--from")
        { Description = "The folder that elastic backup --out has made.", HelpName = "DIR", Required = true };
        var command = new TeachingCommand("restore",
            "Makes a seed's data directory of a backup, after all of it was compared with its digests. A run goes on where the backup's "
            + "journal ends; what nodes have computed since counts where they still have it, and is computed again to the same weights "
            + "where they have not.",
            """
            elastic restore --from /backup/elastic --data-dir seed
            elastic seed --data-dir seed                               at the old address, or restart the workers with the new one
            """)
        { from, dataDir };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var backup = Path.GetFullPath(parsed.GetValue(from)!);
            // The folder may be made by this command.
            var data = new DataDirectory(parsed.GetValue(dataDir) ?? CommonOptions.DefaultDataDir);
            CheckPlace(data, backup);
            BackupManifest.Read(backup);                               // before the lock makes a folder
            using var held = data.Take();
            var manifest = await new DataRestore(new DataPaths(backup), new DataPaths(data.Root)).RunAsync(cancel);
            await WriteAsync(output, manifest);
            await output.WriteLineAsync($"restored to {data.Root}: start it with elastic seed --data-dir {data.Root}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task WriteAsync(TextWriter output, BackupManifest manifest)
    {
        foreach (var run in manifest.Runs)
            await output.WriteLineAsync($"run {run.Run}   {run.Round} rounds   checkpoint "
                + $"{(run.Checkpoint is { } round ? $"after round {round}" : "none")}   corpus {run.Corpus?[..12] ?? "not here"}");
    }

    private static void CheckPlace(DataDirectory data, string place)
    {
        if (IsWithin(place, data.Root) || IsWithin(data.Root, place))
            throw new ElasticException($"{place} and the data directory {data.Root} are one in the other: name a folder elsewhere");
    }

    private static bool IsWithin(string inner, string outer) =>
        inner == outer
        || inner.StartsWith(Path.TrimEndingDirectorySeparator(outer) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
