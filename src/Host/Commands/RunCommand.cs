using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Pbm;

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
        var (dataDir, database, json) = (CommonOptions.DataDir(), CommonOptions.Database(), CommandOutput.Option());
        var command = new Command("list", "Lists the runs, a line each, with the size of their folders.") { dataDir, database, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = CommandOutput.Of(parsed, json);
            var runs = await ReadAsync(parsed, dataDir, database, cancel);
            output.Say(runs.All.Count == 0 ? [$"no runs in {runs.Data.Root}: start one with elastic train"] :
            [
                .. Table.Lay(["RUN", "ID", "STATE", ">ROUND", ">VAL", ">SIZE"], [.. runs.All.Select(r => (string[])
                    [r.Id.Name.Value, r.Id.Value, r.State, Round(r), Score(r), Units.Bytes(r.Bytes)])]),
                $"{Units.Bytes(runs.Bytes)} in {runs.Data.Runs}",
            ]);
            output.Result(new JsonObject
            {
                ["folder"] = runs.Data.Runs,
                ["bytes"] = runs.Bytes,
                ["runs"] = new JsonArray([.. runs.All.Select(KeptRunFacts.Json)]),
            });
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Show()
    {
        var run = CommonOptions.RequiredRunName("The run to show.");
        var (dataDir, database, json) = (CommonOptions.DataDir(), CommonOptions.Database(), CommandOutput.Option());
        var command = new Command("show", "Shows all about one run: state, files, and the settings that it was started with.")
        { run, dataDir, database, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            var runs = await ReadAsync(parsed, dataDir, database, cancel);
            var (output, named) = (CommandOutput.Of(parsed, json), runs.Named(name));
            output.Say(named.SelectMany(r => KeptRunFacts.Of(r).Select(f => $"{f.Name,-14}{f.Value}")));
            output.Result(new JsonObject { ["runs"] = new JsonArray([.. named.Select(KeptRunFacts.WholeJson)]) });
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Delete()
    {
        var run = CommonOptions.RequiredRunName("The run to delete.");
        var (dataDir, database, json) = (CommonOptions.DataDir(), CommonOptions.Database(), CommandOutput.Option());
        var yes = new Option<bool>("--yes") { Description = "Delete it without the question that a terminal gets." };
        var command = new Command("delete",
            "Deletes a run and its files in this data directory, which no process may be using. Its events stay in the journal. Of a "
            + "journal that seeds share, only files of runs that pbm run delete has deleted: a seed may be at work on the others.")
        { run, dataDir, database, yes, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            data.CheckReadable();
            using var held = data.Take();
            var runs = await KeptRuns.ReadAsync(data, parsed.GetValue(database), cancel);
            var (named, output) = (runs.Deletable(name), parsed.InvocationConfiguration.Output);
            CheckOneJournal(data, parsed.GetValue(database));
            if (!parsed.GetValue(yes) && !parsed.GetValue(json) && Question.CanBeAsked(output)
                && !Question.IsAnsweredYes(
                    $"{string.Join(" and ", named.Select(r => $"{r.Id}, {r.State}, {Units.Bytes(r.Bytes)}"))}: "
                    + "deleting this cannot be undone. Do it? [y/N] ", Console.In, output))
                return ExitCodes.Done;
            await RemoveAsync(runs, named, CommandOutput.Of(parsed, json), cancel);
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Prune()
    {
        var (dataDir, database, json) = (CommonOptions.DataDir(), CommonOptions.Database(), CommandOutput.Option());
        var dry = new Option<bool>("--dry-run") { Description = "Say what would be removed, and remove nothing." };
        var command = new Command("prune",
            "Removes the folders of runs that the journal does not have any more: deleted ones, and those whose name was started anew.")
        { dataDir, database, dry, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (data, output) = (CommonOptions.OpenDataDirectory(parsed, dataDir), CommandOutput.Of(parsed, json));
            data.CheckReadable();
            using var held = parsed.GetValue(dry) ? null : data.Take();
            var runs = await KeptRuns.ReadAsync(data, parsed.GetValue(database), cancel);
            if (runs.Database is null)
                throw new ElasticException(
                    $"there is no journal in {data.Root}, so nothing says which runs are still wanted: name its database with --database, "
                    + "or delete one run with elastic run delete --run NAME");
            CheckOneJournal(data, parsed.GetValue(database));
            var orphans = runs.All.Where(r => r.Stored is null).ToList();
            if (orphans.Count == 0)
                output.Say($"nothing to prune: all folders in {data.Runs} belong to runs of the journal");
            if (!parsed.GetValue(dry))
            {
                await RemoveAsync(runs, orphans, output, cancel);
                return ExitCodes.Done;
            }

            output.Say(orphans.Select(orphan => $"would remove {orphan.Folder.Root}, {Units.Bytes(orphan.Bytes)}"));
            output.Result(Removed(orphans, "wouldRemove"));
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<KeptRuns> ReadAsync(
        ParseResult parsed, Option<string?> dataDir, Option<string?> database, CancellationToken cancel)
    {
        var (data, option) = (CommonOptions.OpenDataDirectory(parsed, dataDir), parsed.GetValue(database));
        var runs = await KeptRuns.ReadAsync(data, option, cancel);
        if (DatabaseAddresses.Remark(option, data) is { } remark)
            await parsed.InvocationConfiguration.Error.WriteLineAsync(remark);
        return runs;
    }

    // The folder of a run that the one journal does not have may be of a run that the other one has; and one that both have, of a seed
    // that has moved to the other one.
    private static void CheckOneJournal(DataDirectory data, string? option)
    {
        if (DatabaseAddresses.BesideOwn(option, data) is { } other)
            throw new ElasticException(
                $"{data.Journal} is a journal, and {(option is null ? "ELASTIC_DATABASE" : "--database")} names another one, {other}: a "
                + "folder here may be of a run of either, so nothing was removed. Where no run of the one in "
                + $"{other} is here, name the other: --database sqlite:{data.Journal}; where no run of {data.Journal} is wanted any more, "
                + "move that file away");
    }

    private static async Task RemoveAsync(KeptRuns all, IReadOnlyList<KeptRun> runs, CommandOutput output, CancellationToken cancel)
    {
        foreach (var run in runs)
        {
            await all.DeleteAsync(run, cancel);
            output.Say($"deleted {run.Id}, {Units.Bytes(run.Bytes)}");
        }

        output.Result(Removed(runs, "deleted"));
    }

    private static JsonObject Removed(IReadOnlyList<KeptRun> runs, string key) => new()
    {
        [key] = CommandOutput.Texts(runs.Select(r => r.Id.Value)),
        ["bytes"] = runs.Sum(r => r.Bytes),
    };

    private static string Round(KeptRun run) => KeptRunFacts.Round(run) is var (round, rounds) ? $"{round}/{rounds}" : "";

    private static string Score(KeptRun run) => KeptRunFacts.Score(run);
}
