using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages.Pbm;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm corpus</c>: builds corpora by all nodes, and deletes them.</summary>
internal sealed class CorpusPalette
{
    private static readonly ArgumentHelp Manifest = new("m", "manifest", "FILE",
        "The manifest: a path on the seed's machine, not on yours, as are the paths in it.", Required: true);

    private static readonly ArgumentHelp Set = new("s", "set", "KEY=VALUE",
        "Sets one configuration key of the corpus, e.g. corpus.tokenizer. Repeatable.", Repeatable: true);

    private static readonly ArgumentHelp Limit = new("l", "limit", "N", "Builds a trial of the first N documents of each source.");

    private static readonly ArgumentHelp Name = new("b", "build", "NAME",
        "Names the build. Where only one goes on, it may be left out.", Names: new("corpus", "list", "build"));

    private static readonly ArgumentHelp Which = new("c", "corpus", "ID|RUN",
        "Names the corpus: the beginning of its id, as run start --dry-run and elastic corpus show say it, or a run that has read it.",
        Required: true);

    private static readonly ArgumentHelp Yes = new("y", "yes", "",
        "Deletes it without the question that a terminal gets.", Kind: ArgumentKind.Flag, IsConsent: true);

    // People read a line each; what is asked more often is passed over.
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);

    private readonly IClusterControl _control;
    private readonly TimeProvider _time;

    private CorpusPalette(IClusterControl control, TimeProvider time) => (_control, _time) = (control, time);

    /// <param name="time">For the lines of a watch.</param>
    public static Palette Build(IClusterControl control, TimeProvider time)
    {
        var palette = new CorpusPalette(control, time);
        return new Palette("corpus", "builds corpora by all nodes, and deletes them",
        [
            new(new CommandHelp("build",
                "Builds a corpus: elastic corpus build --manifest, by all nodes, with the same bytes. All of them read the sources; the "
                + "seed that you ask does the rest. Ctrl-C ends the watch, not the build, which also goes on after a restart of the seed.",
                [Manifest, Set, Limit],
                """
                pbm corpus build -m /data/web.conf
                pbm corpus build -m /data/web.conf -s corpus.tokenizer=gpt2
                pbm corpus build -m /data/web.conf -l 1000
                """), Changes: true, palette.BuildAsync),
            new(new CommandHelp("list", "Lists the builds, a line each.", []), Changes: false, palette.ListAsync),
            new(new CommandHelp("watch",
                "Shows a build as it goes, until it is done (exit code 0), or was stopped or failed (1). Ctrl-C ends the watch, not the "
                + "build. Goes on by itself when the seed is back.", [Name], Follows: true), Changes: false, palette.WatchAsync),
            new(new CommandHelp("stop",
                "Stops a build. What was read stays: the same build goes on with it.", [Name]), Changes: true, palette.StopAsync),
            new(new CommandHelp("delete",
                "Deletes a corpus from all nodes that are here, unless a run that is not finished needs it or a build goes on. Finished "
                + "runs that have read it stay, and cannot be audited, evaluated or made longer without it.", [Which, Yes],
                """
                pbm corpus delete -c d2b3fabf        asks at a terminal, and not in a script
                pbm corpus delete -c books --yes     what the run books has read
                """), Changes: true, palette.DeleteAsync),
        ]);
    }

    /// <summary>A build as it was stored, once more.</summary>
    /// <exception cref="ElasticException">The manifest names what is not on this machine.</exception>
    public static BuildPlan PlanOf(StoredBuild stored)
    {
        var plan = Plan(stored.Path, stored.Text, stored.Sets);
        var missing = plan.Manifest.Sources.SelectMany(s => s.Paths).FirstOrDefault(
            p => !Corpus.SourceUrl.Is(p) && Corpus.NodePath.Of(p) is null && !Path.Exists(p));
        return missing is null ? plan : throw new NotFoundException($"{missing}, which {stored.Path} names, is not on this machine");
    }

    private static long LimitOf(string written) => long.TryParse(written, CultureInfo.InvariantCulture, out var limit) && limit >= 1
        ? limit
        : throw new SettingsException($"--limit {OneLine.Of(written, 40)}: write a number of documents, 1 or more");

    private static BuildPlan Plan(string path, string text, IReadOnlyList<string> sets)
    {
        var settings = new RequestedRun([], [], "corpus", sets).Load(null);
        return new BuildPlan(path, text, sets, BuildManifestFile.Parse(text, path), settings.Training.Corpus);
    }

    private async IAsyncEnumerable<PbmLine> BuildAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var path = Path.GetFullPath(call.Required(Manifest));
        // Planning opens the models of stages.
        var text = BuildManifestFile.TextOf(path);
        var limited = call.Value(Limit) is { } written ? BuildManifestFile.Limited(text, LimitOf(written)) : text;
        var plan = await Task.Run(() => Plan(path, limited, call.Values(Set)), cancel);
        var build = await _control.BuildAsync(plan, call.Origin, cancel);
        yield return new PbmLine(
            $"builds {build}; Ctrl-C ends the watch, not the build: pbm corpus watch -b {build}, pbm corpus stop -b {build}",
            new JsonObject { ["build"] = build, ["started"] = true });
        await foreach (var line in LinesAsync(build, cancel))
            yield return line;
    }

    private async IAsyncEnumerable<PbmLine> ListAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var builds = await _control.BuildsAsync(cancel);
        if (builds.Count == 0)
        {
            yield return new PbmLine(NoBuilds);
            yield break;
        }

        var lines = Table.Lay(["BUILD", "STATE", "STARTED", ">DOCUMENTS", ">READ", "MANIFEST"],
            [.. builds.Select(b => (string[])
            [
                b.Build, WordOf(b), $"{b.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm}Z", b.Now is { } now ? Units.Count(now.Documents) : "",
                b.Now is { } sight ? $"{Units.Bytes(sight.Bytes)} of {Units.Bytes(sight.OfBytes)}" : "", OneLine.Of(b.Manifest, 200),
            ])]);
        yield return new PbmLine(lines[0]);
        foreach (var (build, line) in builds.Zip(lines.Skip(1)))
            yield return new PbmLine(line, Json(build));
    }

    private async IAsyncEnumerable<PbmLine> WatchAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (var line in LinesAsync((await FindAsync(call.Value(Name), "watch", cancel)).Build, cancel))
            yield return line;
    }

    private async IAsyncEnumerable<PbmLine> StopAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var build = (await FindAsync(call.Value(Name), "stop", cancel)).Build;
        await _control.StopBuildAsync(build, call.Origin, cancel);
        yield return new PbmLine(
            $"stopped {build}; what was read stays, and the same pbm corpus build goes on with it",
            new JsonObject { ["build"] = build, ["stopped"] = true });
    }

    private async IAsyncEnumerable<PbmLine> DeleteAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var deleted = await _control.DeleteCorpusAsync(call.Required(Which), call.Origin, cancel);
        var (id, had) = (deleted.Corpus, deleted.Nodes.Where(n => n.Bytes > 0).ToList());
        var problems = deleted.Nodes.Where(n => n.Problem is not null).ToList();
        yield return new PbmLine(
            had.Count == 0 ? $"no node that is here has anything of the corpus {id.Short}{(problems.Count > 0 ? " to delete" : "")}"
                : $"deleted the corpus {id.Short}: {Units.Bytes(had.Sum(n => n.Bytes))} on {Units.Many(had.Count, "node")} "
                    + $"({string.Join(", ", had.Select(n => n.Address))})",
            new JsonObject
            {
                ["corpus"] = id.Hex,
                ["deleted"] = problems.Count == 0,
                ["bytes"] = had.Sum(n => n.Bytes),
                ["nodes"] = new JsonArray([.. deleted.Nodes.Select(n => new JsonObject
                {
                    ["node"] = n.Address, ["bytes"] = n.Bytes, ["problem"] = n.Problem,
                })]),
                ["finishedRuns"] = new JsonArray([.. deleted.Finished.Select(r => (JsonNode)r.Value)]),
            });
        if (deleted.Finished.Count > 0)
            yield return new PbmLine(
                $"{string.Join(", ", deleted.Finished)}, finished, cannot be audited, evaluated or made longer until it is built again");
        yield return new PbmLine(
            $"a node that is away keeps it: remove corpora/{id.Short}... and corpora-fetched/{id.Short}... in its data directory by hand");
        if (problems.Count > 0)
            throw new ElasticException(string.Join('\n', problems.Select(n => n.Problem)));
    }

    private async IAsyncEnumerable<PbmLine> LinesAsync(string build, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (told, shown, phase) = (0, (long?)null, "");
        BuildStatus? last = null;
        await foreach (var status in _control.WatchBuildAsync(build, cancel).WithCancellation(cancel))
        {
            last = status;
            if (status.Now is not { } now)
                continue;
            foreach (var notice in now.Notices.TakeLast(Math.Max(0, now.Told - told)))
                yield return new PbmLine(notice, new JsonObject { ["build"] = build, ["notice"] = notice });
            told = now.Told;
            if (now.Phase == phase && shown is { } at && _time.GetElapsedTime(at) < BetweenLines)
                continue;
            (shown, phase) = (_time.GetTimestamp(), now.Phase);
            yield return new PbmLine(BuildLines.Of(now), Json(status));
        }

        switch (last)
        {
            case { State: BuildState.Done }:
                yield return new PbmLine($"built {build}: {last.Note}", Json(last));
                break;
            case { State: BuildState.Stopped }:
                throw new ElasticException($"the build {build} was stopped: the same pbm corpus build goes on with what was read");
            default:
                throw new ElasticException($"the build {build}: {last?.Note}");
        }
    }

    private static JsonObject Json(BuildStatus build) => new()
    {
        ["build"] = build.Build,
        ["state"] = WordOf(build),
        ["manifest"] = build.Manifest,
        ["seed"] = build.Seed.Value,
        ["who"] = build.Who,
        ["startedAt"] = build.StartedAt,
        ["note"] = build.Note,
        ["corpus"] = build.Corpus?.Hex,
        ["phase"] = build.Now?.Phase,
        ["documents"] = build.Now?.Documents,
        ["bytes"] = build.Now?.Bytes,
        ["ofBytes"] = build.Now?.OfBytes,
        ["documentsPerSecond"] = build.Now?.DocumentsPerSecond,
        ["bytesPerSecond"] = build.Now?.BytesPerSecond,
        ["tokens"] = build.Now?.Tokens,
        ["tokensPerSecond"] = build.Now?.TokensPerSecond,
        ["secondsLeft"] = build.Now?.Left?.TotalSeconds,
        ["nodes"] = build.Now?.Nodes,
        ["dropped"] = build.Now is { } now
            ? new JsonObject(now.Dropped.GroupBy(d => d.Stage)
                .Select(g => KeyValuePair.Create(g.Key, (JsonNode?)g.Sum(d => d.Documents)))) : null,
    };

    private static string WordOf(BuildStatus build) => build.State.ToString().ToLowerInvariant();

    // The build of that name, or the only one that goes on.
    private async Task<BuildStatus> FindAsync(string? name, string command, CancellationToken cancel)
    {
        var builds = await _control.BuildsAsync(cancel);
        var running = builds.Where(b => b.State == BuildState.Running).ToList();
        return (name, running) switch
        {
            (null, [var only]) => only,
            (null, []) => throw new NotFoundException(builds.Count == 0 ? NoBuilds : "no build goes on: see pbm corpus list"),
            (null, _) => throw new SettingsException(
                $"{running.Count} builds go on ({string.Join(", ", running.Select(b => b.Build))}): name one, e.g. pbm corpus {command} "
                + $"-b {running[0].Build}"),
            _ => builds.FirstOrDefault(b => b.Build == name) ?? throw new NotFoundException(
                $"there is no build {name}: {EditDistance.Suggest(name, [.. builds.Select(b => b.Build)])}; see pbm corpus list"),
        };
    }

    private const string NoBuilds = "no builds yet: begin one with pbm corpus build -m FILE";
}
