using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm run</c>: starts, shows and stops runs.</summary>
internal sealed class RunPalette
{
    private static readonly ArgumentHelp Config = new("c", "config", "PRESET|FILE",
        $"A preset of the server ({string.Join(", ", Presets.Names)}), or a HOCON file of your machine, whose text is sent. " +
        $"Repeat it to put one on top of another. Default: {Presets.Default}.",
        Repeatable: true, Kind: ArgumentKind.ChoiceOrFile, Choices: [.. Presets.Names]);

    private static readonly ArgumentHelp Corpus = new("d", "corpus", "DIR|FILE",
        "Text to train on: a path on the seed's machine, not on yours. Repeatable. Default: the documentation of the seed's .NET SDK.",
        Repeatable: true);

    private static readonly ArgumentHelp NewName = new("n", "name", "NAME",
        "Names the run; the name of a run that exists goes on with it, as it was started.",
        Required: true, Names: new("run", "list", "run"));

    private static readonly ArgumentHelp Set = new("s", "set", "KEY=VALUE",
        "Sets one configuration key; beats -c. Repeatable.", Repeatable: true);

    private static readonly ArgumentHelp DryRun = new("r", "dry-run", "",
        "Says what the start would do, and what memory, traffic and arithmetic it would take of which nodes; stores and starts nothing.",
        Kind: ArgumentKind.Flag);

    private static readonly NamesOf Runs = new("run", "list", "run");

    private static readonly ArgumentHelp Name = new(
        "n", "name", "NAME", "Names the run. Where there is only one, it may be left out.", Names: Runs);

    private static readonly ArgumentHelp StopName = new("n", "name", "NAME", "Names the run.", Required: true, Names: Runs);

    private static readonly ArgumentHelp Yes = new("y", "yes", "",
        "Deletes it without the question that a terminal gets.", Kind: ArgumentKind.Flag, IsConsent: true);

    private static readonly ArgumentHelp Two = new(
        "n", "name", "NAME", "Names a run. Give it twice.", Required: true, Repeatable: true, Names: Runs);

    private static readonly ArgumentHelp Into = new(
        "o", "output", "DIR|s3://...", "A folder of your machine that is not there yet, or is empty; or s3://BUCKET/PREFIX of an "
        + "S3-compatible store, in which your machine puts it, with credentials of its own.", Required: true, IsNewFolder: true);

    private static readonly ArgumentHelp Devices = new("d", "devices", "NUMBER",
        "Devices of a node that compute one replica, at most; 0 for all that are free.", Required: true);

    private static readonly ArgumentHelp Priority = new("p", "priority", "NUMBER",
        "-1000 to 1000; runs have 0 where nobody says otherwise.", Required: true);

    private static readonly ArgumentHelp Data = new("d", "data", "FILE|DIR",
        "Text to score: a path on the seed's machine, not on yours. Repeatable.", Required: true, Repeatable: true);

    private static readonly ArgumentHelp Stride = new("w", "stride", "NUMBER",
        "Tokens from one window to the next, 1 to the model's context. Default: the context, for disjoint windows.");

    private readonly IClusterControl _control;
    private readonly TimeProvider _time;

    private RunPalette(IClusterControl control, TimeProvider time) => (_control, _time) = (control, time);

    /// <param name="time">For the lines of a watch, at most one each second between rounds.</param>
    public static Palette Build(IClusterControl control, TimeProvider time)
    {
        var palette = new RunPalette(control, time);
        return new Palette("run", "starts, shows, stops and deletes runs",
        [
            new(new CommandHelp("start", "Starts a run, or goes on with one that was stopped. It then runs by itself.",
                [Config, Corpus, NewName, Set, DryRun],
                """
                pbm run start -n first                                    nothing else is needed
                pbm run start -n books -d /data/books -s run.rounds=200   the seed's text, one setting changed
                pbm run start -n books                                    goes on with it, as it was started
                pbm run start -n books -s run.rounds=300                  the same run, made longer
                pbm run start -n large -c gpt2-124m -c mine.conf          a preset, and your file on top
                pbm run start -n large -c gpt2-124m --dry-run             what it would take, and whether it fits
                """), Changes: true, palette.StartAsync),
            new(new CommandHelp("list", "Lists all runs, a line each.", []), Changes: false, palette.ListAsync),
            new(new CommandHelp("status", "Shows all about one run.", [Name]), Changes: false, palette.StatusAsync),
            new(new CommandHelp("watch",
                "Shows a run as it goes, until it is finished (exit code 0), or was stopped or cannot go on (1). " +
                "Ctrl-C ends the watch, not the run. Goes on by itself when the seed is back.", [Name], Follows: true),
                Changes: false, palette.WatchAsync),
            new(new CommandHelp("why",
                "Says why a run stands where it stands: what it waits for, which node has which work, how long its rounds take, and what "
                + "went wrong lately.", [Name]), Changes: false, palette.WhyAsync),
            new(new CommandHelp("compare",
                "Shows two runs beside each other: the settings in which they differ, and their losses after the same rounds.", [Two],
                "pbm run compare -n first -n second"), Changes: false, palette.CompareAsync),
            new(new CommandHelp("fetch",
                "Copies the weights of a run's newest checkpoint to a new folder of your machine or to a store, and checks every byte. "
                + "Other runs start from a folder (model.init), and elastic eval, generate and export read it there.", [Name, Into],
                """
                pbm run fetch -n first -o first
                pbm run fetch -n first -o s3://bucket/first
                elastic train --run second --set model.init=first/checkpoints/round-000080.json
                """), Changes: false, palette.FetchAsync),
            new(new CommandHelp("stop",
                "Stops a run at the next step, where nothing is lost. The same start goes on with it; until then it counts as one that "
                + "nobody wants: it may be deleted. For a break there is run pause.", [StopName]),
                Changes: true, palette.StopAsync),
            .. new RunBreaks(control, time, StopName, palette.FindAsync).Commands,
            new(new CommandHelp("evaluate",
                "Scores text with the run's newest checkpoint: elastic eval --data, by all nodes, with the same digits. It goes on beside "
                + "runs. Ctrl-C ends it; so does the loss of the seed that you ask, then give the command again.", [Name, Data, Stride],
                """
                pbm run evaluate -n first -d /data/books
                pbm run evaluate -n first -d a.txt -d b.jsonl -w 32 --json
                """), Changes: true, palette.EvaluateAsync),
            new(new CommandHelp("scale",
                "Sets how many devices of a node compute one replica of the run: its setting run.devices-per-replica. Replicas move "
                + "between two of their steps; nothing starts anew, and no weight changes.", [Name, Devices],
                """
                pbm run scale -n first -d 2    leaves the other devices to other runs
                pbm run scale -n first -d 0    as many as there are
                """), Changes: true, palette.ScaleAsync),
            new(new CommandHelp("priority",
                "Sets which run gets devices where several want them: its setting run.priority. The run of the higher number gets them at "
                + "the next step of the other one, which goes on later from there; no weight changes.", [Name, Priority],
                "pbm run priority -n first -p 5"), Changes: true, palette.PriorityAsync),
            new(new CommandHelp("set", RunSet.Description, [Name, RunSet.Key, RunSet.NewValue, RunSet.Round, RunSet.Yes], RunSet.Examples),
                Changes: true, palette.SetAsync, OnlyWith: RunSet.Yes),
            new(new CommandHelp("delete",
                "Deletes a run that is not at work, and its files on all nodes that are here. Its name is free then.", [StopName, Yes],
                """
                pbm run delete -n first            asks at a terminal, and not in a script
                pbm run delete -n first --yes
                """), Changes: true, palette.DeleteAsync),
        ]);
    }

    private async IAsyncEnumerable<PbmLine> StartAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var name = call.Required(NewName);
        var remembered = await _control.RememberedAsync(CommonOptions.RunOf(name, "--name"), cancel);
        var settings = await new RequestedRun(call.All(Config), call.Values(Corpus), name, call.Values(Set))
            .LoadAsync(remembered, _control.Models, cancel);
        if (call.Values(DryRun).Count > 0)
        {
            await foreach (var line in StartDryRun.LinesAsync(_control, settings, call.Origin, cancel))
                yield return line;
            yield break;
        }

        foreach (var line in SettingsWithoutEffect.Of(settings.Training))
            yield return new PbmLine(line, new JsonObject { ["run"] = name, ["notice"] = line });
        var (starting, said) = Said.Begin(
            64, progress => _control.StartAsync(settings.Training, settings.Corpus, call.Origin, progress, cancel), cancel);
        await foreach (var line in said)
            yield return new PbmLine(line, new JsonObject { ["run"] = name, ["progress"] = line });
        var reply = await starting;
        if (reply is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        if (reply is RunReply.Accepted { Notice: { } notice })
            yield return new PbmLine(notice, new JsonObject { ["run"] = name, ["notice"] = notice });
        var isFinished = reply is RunReply.Accepted { IsFinished: true };
        yield return new PbmLine(
            isFinished ? FinishedAlready(name, remembered?.Settings, settings.Training)
                : $"started run {name}; see it go: pbm run watch -n {name}",
            new JsonObject { ["run"] = name, ["started"] = !isFinished, ["finished"] = isFinished });
    }

    // What changes no weight is set all the same.
    private static string FinishedAlready(string name, TrainingSettings? before, TrainingSettings now)
    {
        List<string> set = before is null || PartialSettings.Between(before, now) is not { Length: > 0 } changed ? []
            : [.. JsonNode.Parse(changed)!.AsObject().Select(p => p.Key).Where(k => SettingsSchema.All.Find(k) is { PartOfAnswer: false })];
        return $"run {name} is finished already"
            + (set.Count == 0 ? "" : $", and {string.Join(", ", set)} {(set.Count == 1 ? "is" : "are")} set")
            + $"; more rounds begin with pbm run start -n {name} -s run.rounds=NUMBER";
    }

    private async IAsyncEnumerable<PbmLine> ListAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var runs = (await _control.RunsAsync(cancel)).OrderBy(r => r.Name.Value, StringComparer.Ordinal).ToList();
        if (runs.Count == 0)
        {
            yield return new PbmLine(NoRuns);
            yield break;
        }

        var nodes = await _control.NodesAsync(cancel);
        var lines = Table.Lay(["RUN", "PHASE", ">ROUND", ">LOSS", ">VAL", ">TOKENS/S", ">LEFT", ">DEVICES", ">PRIORITY", ">PLACE"],
            [.. runs.Select(r => (string[])
            [
                r.Name.Value, r.Failure is null ? r.Phase.ToString().ToLowerInvariant() : "failed", $"{r.Round}/{r.Rounds}",
                Units.Loss(r.TrainLoss), Units.Loss(r.ValLoss),
                r.TokensPerSecond > 0 ? Units.Count(r.TokensPerSecond) : "",
                RunLines.Left(r).Replace(" left", "", StringComparison.Ordinal), $"{RunQueue.InUse(r, nodes)}/{r.Devices}",
                $"{r.Priority}", $"{RunQueue.PlaceOf(r, runs)}",
            ])]);
        yield return new PbmLine(lines[0]);
        foreach (var (run, line) in runs.Zip(lines.Skip(1)))
        {
            var json = RunJson.Object(run);
            (json["devicesInUse"], json["place"]) = (RunQueue.InUse(run, nodes), RunQueue.PlaceOf(run, runs));
            yield return new PbmLine(line, json);
        }
    }

    private async IAsyncEnumerable<PbmLine> StatusAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var run = await FindAsync(call.Value(Name), "status", cancel);
        yield return new PbmLine(null, RunJson.Object(run));
        foreach (var line in RunStatus.Lines(run))
            yield return new PbmLine(line);
    }

    private async IAsyncEnumerable<PbmLine> WatchAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var run = (await FindAsync(call.Value(Name), "watch", cancel)).Name;
        var lines = new RunWatchLines(_time);
        RunView? last = null;
        await foreach (var view in _control.WatchAsync(run, cancel).WithCancellation(cancel))
        {
            foreach (var line in lines.Of(last = view))
                yield return line;
        }

        switch (last)
        {
            case { Failure: { } failure }:
                throw new ElasticException($"run {run}: {failure}");
            case { Phase: RunPhase.Finished }:
                yield return new PbmLine($"run {run} is finished: fingerprint {last.Fingerprint?.Hex}");
                break;
            case { Phase: RunPhase.Stopped }:
                throw new ElasticException(
                    $"run {run} was stopped at round {last.Round}/{last.Rounds}; the same pbm run start goes on with it");
            default:
                throw new UnavailableException(
                    $"the supervisor of run {run} was lost from sight; see whether it goes on with: pbm run status -n {run}");
        }
    }

    private async IAsyncEnumerable<PbmLine> StopAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var view = await FindAsync(call.Required(StopName), "stop", cancel);
        var run = view.Name;
        if (view.Phase == RunPhase.Finished)
            throw new ElasticException($"run {run} is finished; more rounds begin with pbm run start -n {run} -s run.rounds=NUMBER");
        if (await _control.StopAsync(run, call.Origin, cancel) is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        var isStopped = view.Phase == RunPhase.Stopped;
        yield return new PbmLine(
            isStopped ? $"run {run} is stopped already; pbm run start -n {run} goes on with it"
                : $"run {run} stops at its next step; see it end: pbm run watch -n {run}",
            new JsonObject { ["run"] = run.Value, ["stopping"] = !isStopped });
    }

    private async IAsyncEnumerable<PbmLine> EvaluateAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var stride = call.Value(Stride) is not { } text ? (int?)null
            : int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
            : throw new SettingsException([$"--stride {text}: use a number, 1 to the model's context"]);
        var run = (await FindAsync(call.Value(Name), "evaluate", cancel)).Name;
        await foreach (var line in RunEvaluation.RunAsync(_control, run, call.Values(Data), stride, call.Origin, cancel))
            yield return line;
    }

    private async IAsyncEnumerable<PbmLine> WhyAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var run = await FindAsync(call.Value(Name), "why", cancel);
        var (runs, nodes) = (await _control.RunsAsync(cancel), await _control.NodesAsync(cancel));
        IReadOnlyList<StoredObservation>[] observed =
        [
            await _control.ObservedAsync(RunExplanation.OfRun(run.RunId), cancel),
            await _control.ObservedAsync(RunExplanation.OfCluster, cancel),
        ];
        foreach (var line in RunExplanation.Lines(run, runs, nodes, observed.SelectMany(o => o)))
            yield return line;
    }

    private async IAsyncEnumerable<PbmLine> CompareAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (call.Values(Two) is not [var one, var other] || one == other)
            throw new SettingsException("compare takes two runs: pbm run compare -n ONE -n OTHER");
        foreach (var line in RunComparison.Lines(await CurveAsync(one), await CurveAsync(other)))
            yield return line;

        async Task<RunCurve> CurveAsync(string name) =>
            await _control.CurveAsync(CommonOptions.RunOf(name, "--name"), cancel)
                ?? throw new NotFoundException($"there is no run {name}; see pbm run list");
    }

    private async IAsyncEnumerable<PbmLine> FetchAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var line in RunFetch.LinesAsync(_control, await FindAsync(call.Value(Name), "fetch", cancel), cancel))
            yield return line;
    }

    private async IAsyncEnumerable<PbmLine> ScaleAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (run, devices) = (await FindAsync(call.Value(Name), "scale", cancel), call.Required(Devices));
        var settings = await SetAsync(call, run, $"run.devices-per-replica={devices}", Devices, cancel);
        var most = settings.Run.DevicesPerReplica;
        yield return new PbmLine(
            most == 0
                ? $"a replica of run {run.Name} uses all devices of its node that are free"
                : $"a replica of run {run.Name} uses {most} {(most == 1 ? "device" : "devices")} of its node at most",
            new JsonObject { ["run"] = run.Name.Value, ["devicesPerReplica"] = most });
    }

    private async IAsyncEnumerable<PbmLine> PriorityAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (run, priority) = (await FindAsync(call.Value(Name), "priority", cancel), call.Required(Priority));
        var settings = await SetAsync(call, run, $"run.priority={priority}", Priority, cancel);
        yield return new PbmLine(
            $"run {run.Name} has priority {settings.Run.Priority}",
            new JsonObject { ["run"] = run.Name.Value, ["priority"] = settings.Run.Priority });
    }

    // Changes a setting of a run that is at work.
    private async Task<TrainingSettings> SetAsync(
        PbmCall call, RunView run, string setting, ArgumentHelp argument, CancellationToken cancel)
    {
        // A start would set a run that does not go on at work again.
        if (run.Failure is not null || run.Phase is RunPhase.Paused or RunPhase.Stopped or RunPhase.Finished)
            throw new ElasticException(
                $"run {run.Name} is not at work: give it this with its start, pbm run start -n {run.Name} -s {setting}");
        var remembered = await RunSet.RememberedAsync(_control, run.Name, cancel);
        var settings = new RequestedRun([], [], run.Name.Value, [setting]) { SetOption = $"-{argument.Short}" }.Load(remembered);
        CheckMemory(run, remembered.Settings, settings.Training, await _control.NodesAsync(cancel));
        var reply = await Said.Begin(
            1, progress => _control.StartAsync(settings.Training, settings.Corpus, call.Origin, progress, cancel), cancel).Work;
        if (reply is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        return settings.Training;
    }

    private async IAsyncEnumerable<PbmLine> SetAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var run = await FindAsync(call.Value(Name), "set", cancel);
        var nodes = await _control.NodesAsync(cancel);
        await foreach (var line in RunSet.LinesAsync(_control, run, call, (now, then) => CheckMemory(run, now, then, nodes), cancel))
            yield return line;
    }

    // Only nodes that say how much memory they have: an old one says nothing.
    private static void CheckMemory(RunView run, TrainingSettings now, TrainingSettings then, NodeView[] nodes)
    {
        foreach (var node in nodes.Where(n => n is { FreeMemoryBytes: > 0, Devices: [var device, ..] } && new DeviceId(device).IsCpu))
        {
            var replicas = node.Work.Count(w => w.StartsWith($"{run.RunId} {ComputeWork.Kind.Name} ", StringComparison.Ordinal));
            if (MemoryGrowth.Problem(
                [.. Enumerable.Repeat(now, replicas)], node.Devices.Length, [.. Enumerable.Repeat(then, replicas)], node.Devices.Length,
                node.FreeMemoryBytes, node.Sharing) is { } problem)
                throw new ElasticException($"node {node.Address}: {problem}");
        }
    }

    private async IAsyncEnumerable<PbmLine> DeleteAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var run = await FindAsync(call.Required(StopName), "delete", cancel);
        if (await _control.DeleteAsync(run.Name, call.Origin, cancel) is RunReply.Refused refused)
            throw new ElasticException(refused.Why);
        yield return new PbmLine(
            $"deleted run {run.Name}; nodes that are here remove their files of it",
            new JsonObject { ["run"] = run.Name.Value, ["deleted"] = true });
        yield return new PbmLine($"a node that is away keeps them: elastic run delete --run {run.Name} --data-dir DIR removes them there");
    }

    // The run of that name, or the only one.
    private async Task<RunView> FindAsync(string? name, string command, CancellationToken cancel) =>
        Named.Find("run", await _control.RunsAsync(cancel), r => [r.Name.Value], name, command, NoRuns);

    private const string NoRuns = "no runs yet: start one with pbm run start -n NAME";
}
