using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Host.Commands;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>What programs read of the commands of <c>elastic</c>: one object at the end, also where a command fails.</summary>
public sealed class JsonOptionTests : TemporaryFolder
{
    // Nodes go on until they are told to leave; a model's text is its result; what certs init, node, token and join say is what a person
    // has to do next, and a token is its only line.
    private static readonly string[] Without =
    [
        "elastic seed", "elastic worker", "elastic serve", "elastic generate", "elastic certs init", "elastic certs node",
        "elastic certs token", "elastic certs join",
    ];

    [Fact]
    public void Every_command_that_has_a_result_takes_json()
    {
        var leaves = LeavesOf(ElasticCommandLine.Build(), "elastic").ToList();
        Assert.Equal(
            Without.Order(StringComparer.Ordinal),
            leaves.Where(l => l.Command.Options.All(o => o.Name != ElasticCommandLine.JsonName)).Select(l => l.Name)
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Commands_of_a_data_directory_say_one_object_and_nothing_else()
    {
        await DatabaseAddress.Parse(null, Folder).PrepareAsync(_ => { }, default);
        var database = DatabaseAddress.Parse(null, Folder);
        await new RunList(database).AddAsync(RunSamples.Id, "a", default);
        await JournalTable.WriteAsync(database, RunSamples.Id, RunSamples.Journal(4));

        var list = await ObjectAsync(ExitCodes.Done, "run", "list");
        Assert.Equal(("a", 4), ((string)list["runs"]![0]!["run"]!, (int)list["runs"]![0]!["round"]!));
        var show = await ObjectAsync(ExitCodes.Done, "run", "show", "--run", "a");
        Assert.Equal("2", (string)show["runs"]![0]!["settings"]!["run.replicas"]!);
        Assert.Empty((await ObjectAsync(ExitCodes.Done, "run", "prune", "--dry-run"))["wouldRemove"]!.AsArray());
        Assert.Equal(RunSamples.Id.Value, (string)(await ObjectAsync(ExitCodes.Done, "run", "delete", "--run", "a"))["deleted"]![0]!);
        Assert.Equal(ExitCodes.NotFound, (int)(await ObjectAsync(ExitCodes.NotFound, "run", "show", "--run", "a"))["exitCode"]!);
        Assert.Contains("there is no corpus", (string)(await ObjectAsync(ExitCodes.NotFound, "corpus", "show"))["error"]!,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_and_simulations_are_objects_too()
    {
        var settings = await ObjectAsync(ExitCodes.Done, "config", "--set", "run.rounds=5");
        Assert.Equal(("5", "--set"), ((string)settings["run.rounds"]!["value"]!, (string)settings["run.rounds"]!["from"]!));
        var simulated = await ObjectAsync(ExitCodes.Done, "simulate", "--scenario", "churn", "--seeds", "1");
        Assert.Equal((1, 0), ((int)simulated["scenarios"]![0]!["runs"]!, (int)simulated["violations"]!));
    }

    private static IEnumerable<(string Name, Command Command)> LeavesOf(Command command, string name) => command.Subcommands.Count == 0
        ? [(name, command)]
        : command.Subcommands.SelectMany(c => LeavesOf(c, $"{name} {c.Name}"));

    private async Task<JsonObject> ObjectAsync(int code, params string[] command)
    {
        using StringWriter output = new(), error = new();
        string[] where = command[0] is "simulate" or "config" ? [] : ["--data-dir", Folder];
        Assert.Equal(code, await ElasticCommandLine.RunAsync([.. command, .. where, "--json"], output, error));
        return JsonNode.Parse(Assert.Single(output.ToString().TrimEnd().Split('\n')))!.AsObject();
    }
}
