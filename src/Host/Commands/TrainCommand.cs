using System.CommandLine;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>What <c>elastic train</c> was asked to do.</summary>
internal sealed record TrainRequest(ElasticSettings Settings, bool Json, bool Plain, bool DryRun = false)
{
    /// <summary>What changes in mid-run.</summary>
    public IReadOnlyList<SettingsChange> Changes { get; init; } = [];

    /// <summary>This request with the changes that a file names; null for none.</summary>
    /// <exception cref="SettingsException">The file cannot be read, or names what cannot be.</exception>
    public TrainRequest With(string? changes)
    {
        if (changes is null)
            return this;
        var (read, settings, problems) = (ChangesFile.Read(changes, Settings.Training), Settings.Training, new List<string>());
        foreach (var change in read)
        {
            settings = PartialSettings.Apply(settings, change.Settings);
            problems.AddRange(MoreThanOneNode(settings).Select(problem => $"{changes}, round {change.FromRound}: {problem}"));
        }
        return problems.Count == 0 ? this with { Changes = read } : throw new SettingsException(problems);
    }

    /// <exception cref="SettingsException">Nothing would ever compute.</exception>
    public TrainRequest Checked()
    {
        var problems = new List<string>();
        if (Settings.Node.Devices == "none")
            problems.Add("node.devices = none: elastic train computes in its own process; leave --devices out, or use cpu:N");
        problems.AddRange(MoreThanOneNode(Settings.Training));
        return problems.Count == 0 ? this : throw new SettingsException(problems);
    }

    // What these settings want of other nodes, for which the run would wait for ever.
    private IEnumerable<string> MoreThanOneNode(TrainingSettings settings)
    {
        if (DryRun)
            yield break;
        if (settings.Run.Stages is > 1 and var stages)
            yield return $"run.stages = {stages} needs {stages} nodes, and elastic train is one: start elastic seed, elastic worker on "
                + "each of them, and the run with pbm run start; or set run.stages = 1";
        if (Labels.Of(settings.Run.Needs).Except(Labels.Of(Settings.Node.Labels)).ToList() is [_, ..] lacks)
            yield return $"run.needs = \"{settings.Run.Needs}\": elastic train is one node, and node.labels does not give it "
                + $"{string.Join(", ", lacks)}; set node.labels, too, or run.needs = null";
    }
}

/// <summary><c>elastic train</c>: trains in one process; starts a run, or resumes the run of that name.</summary>
internal static class TrainCommand
{
    public static Command Build()
    {
        var options = new TrainOptions();
        var json = new Option<bool>(ElasticCommandLine.JsonName)
        {
            Description = "Print one JSON object at the end on standard output, with \"error\" and \"exitCode\" where it failed; "
                + "progress goes to standard error.",
        };
        var plain = new Option<bool>("--plain") { Description = "Plain lines instead of the live display." };

        var dry = new Option<bool>("--dry-run")
        {
            Description = "Say what memory, traffic and arithmetic the run would take here, and whether it fits; read no text, start and "
                + "store nothing but the model that --init names in a store.",
        };

        var changes = new Option<string?>("--changes")
        {
            Description = "Settings that change in mid-run, as pbm run set changes them: lines of ROUND KEY=VALUE, e.g. "
                + "\"30 optimizer.learning-rate=5e-4\". The journal keeps them: without the option the same run goes on with them.",
            HelpName = "FILE",
        };

        var command = new TeachingCommand("train",
            "Trains a model, or goes on with a run that was stopped or killed. " +
            "Ctrl-C once stops at the next step; the same command goes on.",
            """
            elastic train                                          the preset "tiny" on the documentation of the .NET SDK
            elastic train --corpus ~/books --run books             your own text, under a name of its own
            elastic train --run books                              the name is enough: goes on where it stopped, as it was started
            elastic train --run books --set run.rounds=200         the same run, made longer
            elastic train --config gpt2-124m --devices cuda:all    GPT-2 small on all GPUs
            elastic train --init ~/gpt2 --corpus ~/books --run b   goes on training published weights, on your text
            elastic train --init s3://bucket/gpt2 --run b          the same weights, from an S3-compatible store
            elastic train --config gpt2-124m --dry-run             what it would take of this machine, and whether it fits
            elastic train --init fine-adapter --init-base ~/gpt2   goes on training an adapter (LoRA)
            elastic train --run books --changes changes.txt        settings that change at rounds that are known before
            elastic train --json > result.json                     for scripts
            """, SettingsHelp.Lines(SettingsSchema.All))
        { json, plain, dry, changes };
        foreach (var option in options.All)
            command.Add(option);
        command.SetAction(async (parsed, cancel) => await RunAsync(
            new TrainRequest(
                await LoadAsync(options.Read(parsed), cancel),
                parsed.GetValue(json), parsed.GetValue(plain), parsed.GetValue(dry)).Checked().With(parsed.GetValue(changes)),
            parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error));
        return command;
    }

    private static Task<int> RunAsync(TrainRequest request, TextWriter output, TextWriter error) => request.DryRun
        ? Task.FromResult(TrainDryRun.Run(request, output, error))
        : TrainRun.RunAsync(request, output, error);

    /// <summary>The settings; of a run that exists its own, with what is given on top.</summary>
    internal static async Task<ElasticSettings> LoadAsync(ConfigurationRequest request, CancellationToken cancel)
    {
        try
        {
            return ConfigurationLoader.LoadFor(await FindAsync(request, cancel), request);
        }
        catch (DatabaseUnavailableException)
        {
            // It is waited for, or refused with what to do, as the start does it.
            var (_, dataDir, database) = ConfigurationLoader.WhichRun(request);
            await DatabasePreparation.RunAsync(DatabaseAddress.Parse(database, dataDir), Console.Error.WriteLine, cancel);
            return ConfigurationLoader.LoadFor(await FindAsync(request, cancel), request);
        }
    }

    /// <summary>The run that a command goes on with, after the weights that it names in a store were fetched; null for a new one.</summary>
    /// <exception cref="DatabaseUnavailableException">The journal cannot be read.</exception>
    internal static async Task<RememberedRun?> FindAsync(ConfigurationRequest request, CancellationToken cancel)
    {
        // What is written of the model is for this user alone, as all of the data directory.
        PrivateFiles.Begin();
        await ConfigurationLoader.BringAsync(request, cancel);
        var (name, dataDir, database) = ConfigurationLoader.WhichRun(request);
        // A wrong name or address is reported with all other problems.
        return !Identifier.IsValid(name, 64) || DatabaseAddresses.Problems(database).Any()
            || (database is null && !File.Exists(new DataDirectory(dataDir).Journal))
            ? null : await StoredRuns.FindAsync(DatabaseAddress.Parse(database, dataDir), new RunName(name), cancel);
    }
}
