using System.CommandLine;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary><c>elastic run</c>: the runs of a data directory, what they take on the disk, and how to get rid of them.</summary>
internal static class RunCommand
{
    public static Command Build() => new TeachingCommand("run",
        "Lists, shows and deletes the runs of a data directory. Where a seed is up, pbm run does the same for all nodes.",
        """
        elastic run list                                       what is there, and what it takes on the disk
        elastic run show --run tiny                            all about one run, with its settings
        elastic run delete --run tiny                          the run and its files; its name is free then
        elastic run prune --dry-run                            folders that belong to no run of the journal
        """)
    { List(), Show(), Delete(), Prune() };

    private static Command List()
    {
        var (dataDir, database) = (CommonOptions.DataDir(), CommonOptions.Database());
        var command = new Command("list", "Lists the runs, a line each, with the size of their folders.") { dataDir, database };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var runs = await KeptRuns.ReadAsync(
                CommonOptions.OpenDataDirectory(parsed, dataDir), parsed.GetValue(database), cancel);
            if (runs.All.Count == 0)
            {
                await output.WriteLineAsync($"no runs in {runs.Data.Root}: start one with elastic train");
                return ExitCodes.Done;
            }

            foreach (var line in Table.Lay(["RUN", "ID", "STATE", ">ROUND", ">VAL", ">SIZE"],
                [.. runs.All.Select(r => (string[])[r.Id.Name.Value, r.Id.Value, r.State, Round(r), Score(r), Units.Bytes(r.Bytes)])]))
                await output.WriteLineAsync(line);
            await output.WriteLineAsync($"{Units.Bytes(runs.Bytes)} in {runs.Data.Runs}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Show()
    {
        var run = CommonOptions.RequiredRunName("The run to show.");
        var (dataDir, database) = (CommonOptions.DataDir(), CommonOptions.Database());
        var command = new Command("show", "Shows all about one run: state, files, and the settings that it was started with.")
        { run, dataDir, database };
        command.SetAction(async (parsed, cancel) =>
        {
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            var runs = await KeptRuns.ReadAsync(
                CommonOptions.OpenDataDirectory(parsed, dataDir), parsed.GetValue(database), cancel);
            foreach (var line in runs.Named(name).SelectMany(Lines))
                await parsed.InvocationConfiguration.Output.WriteLineAsync(line);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Delete()
    {
        var run = CommonOptions.RequiredRunName("The run to delete.");
        var (dataDir, database) = (CommonOptions.DataDir(), CommonOptions.Database());
        var command = new Command("delete",
            "Deletes a run and its files in this data directory, which no process may be using. Its events stay in the journal.")
        { run, dataDir, database };
        command.SetAction(async (parsed, cancel) =>
        {
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            using var held = data.Take();
            var runs = await KeptRuns.ReadAsync(data, parsed.GetValue(database), cancel);
            await RemoveAsync(runs, runs.Named(name), parsed.InvocationConfiguration.Output, cancel);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Prune()
    {
        var (dataDir, database) = (CommonOptions.DataDir(), CommonOptions.Database());
        var dry = new Option<bool>("--dry-run") { Description = "Say what would be removed, and remove nothing." };
        var command = new Command("prune",
            "Removes the folders of runs that the journal does not have any more: deleted ones, and those whose name was started anew.")
        { dataDir, database, dry };
        command.SetAction(async (parsed, cancel) =>
        {
            var (data, output) = (CommonOptions.OpenDataDirectory(parsed, dataDir), parsed.InvocationConfiguration.Output);
            using var held = parsed.GetValue(dry) ? null : data.Take();
            var runs = await KeptRuns.ReadAsync(data, parsed.GetValue(database), cancel);
            if (runs.Database is null)
                throw new ElasticException(
                    $"there is no journal in {data.Root}, so nothing says which runs are still wanted: name its database with --database, "
                    + "or delete one run with elastic run delete --run NAME");
            var orphans = runs.All.Where(r => r.Stored is null).ToList();
            if (orphans.Count == 0)
                await output.WriteLineAsync($"nothing to prune: all folders in {data.Runs} belong to runs of the journal");
            else if (parsed.GetValue(dry))
                foreach (var orphan in orphans)
                    await output.WriteLineAsync($"would remove {orphan.Folder.Root}, {Units.Bytes(orphan.Bytes)}");
            else
                await RemoveAsync(runs, orphans, output, cancel);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task RemoveAsync(KeptRuns all, IReadOnlyList<KeptRun> runs, TextWriter output, CancellationToken cancel)
    {
        foreach (var run in runs)
        {
            await all.DeleteAsync(run, cancel);
            await output.WriteLineAsync($"deleted {run.Id}, {Units.Bytes(run.Bytes)}");
        }
    }

    private static IEnumerable<string> Lines(KeptRun run)
    {
        List<(string Name, string Value)> facts =
        [
            ("run", run.Id.Name.Value), ("id", run.Id.Value), ("state", run.State), ("problem", run.Stored?.Problem ?? ""),
            ("round", Round(run)), ("val loss", Score(run)), ("fingerprint", run.Stored?.State?.Fingerprint?.Hex ?? ""),
            ("corpus", run.Stored?.State?.Corpus?.Hex ?? ""), ("arithmetic", run.Stored?.State?.Arithmetic ?? ""),
            ("folder", $"{run.Folder.Root}, {Units.Bytes(run.Bytes)}"),
            ("blobs", Units.Bytes(KeptRuns.SizeOf(run.Folder.Blobs))),
            .. CheckpointFiles.In(run.Folder.Checkpoints).Select(path => ("checkpoint", path)),
        ];
        if (run.Stored?.State?.Settings is { } text)
            facts.AddRange(SettingsRecord.ValuesOf(SettingsText.Read(text))
                .Where(v => v.Setting.Show(v.Value) != v.Setting.ShownDefault)
                .Select(v => ("setting", $"{v.Setting.Key} = {v.Setting.Show(v.Value)}")));
        if (run.Stored?.State is { Exists: true } state)
            facts.AddRange(Coordination.RunPlan.Of(state).Changes.Select(s => ("segment", RunLines.Segment(s))));
        return facts.Where(f => f.Value.Length > 0).Select(f => $"{f.Name,-14}{f.Value}");
    }

    private static string Round(KeptRun run) =>
        run.Stored?.State is { Exists: true } state ? $"{state.Round}/{Coordination.RunPlan.Of(state).Rounds}" : "";

    private static string Score(KeptRun run) => run.Stored?.State?.Score is { } score
        ? score.LossNats.ToString("0.0000", CultureInfo.InvariantCulture) : "";
}
