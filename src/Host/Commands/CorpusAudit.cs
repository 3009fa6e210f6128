using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Actors.Corpora;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>
/// <c>elastic corpus audit</c>: proves from the journal and the shards what a run has read, or of a built text that each document was
/// decided about once.
/// </summary>
internal static class CorpusAudit
{
    public static Command Build()
    {
        var run = CommonOptions.RunName("The run to audit.");
        var text = CorpusShow.TextId();
        var dataDir = CommonOptions.DataDir();
        var database = CommonOptions.Database();
        var from = new Option<string[]>("--from")
        {
            Description = "Data plane of a node that has the run's corpus, which it names when it starts: what is missing or damaged "
                + "here is fetched first. Repeatable.",
            HelpName = "HOST:PORT",
            DefaultValueFactory = _ => [],
        };
        var (certs, json) = (CommonOptions.Certs(), CommandOutput.Option());
        var command = new TeachingCommand("audit",
            "Proves from the journal and the shards that a run has read every block exactly once per epoch, or names where it has not, and "
            + "that its checkpoints here are those of its journal; and of a text that its files are the build's and each document was "
            + "decided about once.",
            """
            elastic corpus audit --run tiny
            elastic corpus audit --text 5f2c
            """)
        { run, text, dataDir, database, from, certs, json };
        command.Validators.Add(result =>
        {
            if (result.GetResult(run) is null == result.GetResult(text) is null)
                result.AddError("name what is audited: a run with --run, or a text with --text");
            else if (result.GetResult(text) is not null
                && new Option[] { database, from, certs }.Any(o => result.GetResult(o) is { Implicit: false }))
                result.AddError("--database, --from and --certs are about runs: leave them out with --text");
        });
        command.SetAction(async (parsed, cancel) =>
        {
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            if (parsed.GetValue(text) is { } id)
                return Report(BuildAudit.Check(BuiltTexts.Find(data, id), cancel), output, error);
            var option = parsed.GetValue(database);
            var journal = DatabaseAddresses.JournalOf(option, data);
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            data.ExistingRun(name);
            if (Nodes(parsed.GetValue(from)!) is { Count: > 0 } nodes)
            {
                // As the node writes, whose directory it is and which may be running.
                PrivateFiles.Begin();
                using var credentials = CredentialsOf(
                    CommonOptions.CertificatesOf(parsed, certs, dataDir), isNamed: parsed.GetValue(certs) is not null);
                var (corpus, manifest) = await FoundAsync(JournalAudit.CorpusOfAsync(data.Root, journal, name, cancel), name, option, data);
                foreach (var path in await CorpusRepair.RunAsync(new DataPaths(data.Root), corpus, manifest, nodes,
                    credentials is null ? Transport.Plain : TlsTransport.BetweenNodes(credentials), cancel))
                    output.Say($"fetched {path}");
            }

            return Report(
                await FoundAsync(JournalAudit.RunAsync(data.Root, journal, name, cancel), name, option, data), output, error);
        });
        return command;
    }

    // Where a seed has moved to another journal, its runs are missing in the directory's own, of which nothing is lost.
    private static async Task<T> FoundAsync<T>(Task<T> reading, RunName name, string? option, DataDirectory data)
    {
        try
        {
            return await reading;
        }
        catch (NotFoundException e) when (DatabaseAddresses.Remark(option, data) is { } remark)
        {
            throw new NotFoundException($"the journal knows nothing of run {name}: {remark}", e);
        }
    }

    // Nodes of a cluster with certificates talk to its nodes alone: the audit shows the certificate of the node whose directory it reads.
    internal static Credentials? CredentialsOf(CertificateFiles files, bool isNamed) =>
        isNamed || files.AreThere ? Credentials.OfNode(files, TimeProvider.System) : null;

    private static List<Endpoint> Nodes(string[] from)
    {
        List<string> problems = [];
        var nodes = from.Select(text =>
        {
            if (!Endpoint.TryParse(text, out var node, out var problem))
                problems.Add($"--from {problem}, e.g. 10.0.0.5:{NodeOptions.DefaultHttpPort}");
            return node;
        }).ToList();
        return problems.Count > 0 ? throw new SettingsException(problems) : nodes;
    }

    /// <summary>What there is to say of results that two nodes were to compute: nothing where nothing was drawn.</summary>
    internal static IEnumerable<string> Lines(DrawnResults drawn)
    {
        const int most = 5;
        if (drawn.Drawn > 0)
            yield return $"drawn to be computed twice: {Units.Many(drawn.Drawn, "result")}; "
                + $"on {drawn.Drawn - drawn.Single.Count} of them two nodes agreed";
        if (drawn.Single.Count > 0)
            yield return $"computed by one node alone, as no second one was there: {string.Join("; ", drawn.Single.Take(most))}"
                + (drawn.Single.Count > most ? $" and {drawn.Single.Count - most} more" : "");
        if (drawn.Unchecked > 0)
            yield return $"not checked: what was drawn in {Units.Many(drawn.Unchecked, "round")}, because the journal has no secret "
                + "of them";
    }

    private static string Times(int least, int most) =>
        least == most ? Units.Many(least, "time") : $"{least} to {Units.Many(most, "time")}";

    private static int Report(BuildAuditReport report, CommandOutput output, TextWriter error)
    {
        output.Say($"{Units.Many(report.Documents, "document")}, {report.Kept} kept, {report.Dropped} dropped");
        if (report.TakenDown > 0)
            output.Say($"cannot be proven: what was in {Units.Many(report.TakenDown, "document")} that the manifest takes down, and "
                + "that nothing else was decided by them; only their names are left");
        foreach (var problem in report.Problems)
            error.WriteLine($"error: {problem}");
        output.Result(new JsonObject
        {
            ["documents"] = report.Documents,
            ["kept"] = report.Kept,
            ["dropped"] = report.Dropped,
            ["takenDown"] = report.TakenDown,
            ["problems"] = CommandOutput.Texts(report.Problems),
            ["proven"] = report.Problems.Count == 0,
        });
        output.Say(report.Problems.Count == 0
            ? "proven: every file is the build's, and every document above was decided about exactly once"
            : $"NOT proven: {Units.Many(report.Problems.Count, "problem")}; delete the text and build it again");
        return report.Problems.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static int Report(AuditReport report, CommandOutput output, TextWriter error)
    {
        output.Say(string.Join(
            ", ", Units.Many(report.Rounds, "round"), Units.Many(report.Samples, "sample"), Units.Many(report.Tokens, "token")));
        foreach (var epoch in report.Epochs)
            output.Say($"epoch {epoch.Epoch}: {epoch.Consumed} of {Units.Many(epoch.Blocks, "block")}");
        foreach (var source in report.Sources)
            output.Say($"source {OneLine.Of(source.Source, 80)}: {Units.Many(source.Samples, "sample")} of "
                + $"{Units.Many(source.Blocks, "block")}, each {Times(source.Least, source.Most)}");
        foreach (var change in report.Changes)
            output.Say($"settings changed {RunLines.Segment(change)}");
        output.Say(Lines(report.Drawn));
        foreach (var problem in report.Problems)
            error.WriteLine($"error: {problem}");
        output.Result(Json(report));
        if (report is { Rounds: 0, Problems: [] })
        {
            error.WriteLine("error: nothing to prove: no round of the run is committed; train it, then audit it again");
            return ExitCodes.Failed;
        }

        output.Say(report.IsProven
            ? (report.Sources.Count == 0 ? "proven: every block above was consumed exactly once in its epoch"
                : "proven: every source above was read exactly as often as corpus.mixture says")
                + ", and every digest of what was read fits"
            : $"NOT proven: {report.Problems.Count} {(report.Problems.Count == 1 ? "thing does" : "things do")} not fit; " +
              "the journal or the corpus was changed after the fact, or is damaged");
        return report.IsProven ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static JsonObject Json(AuditReport report) => new()
    {
        ["rounds"] = report.Rounds,
        ["samples"] = report.Samples,
        ["tokens"] = report.Tokens,
        ["epochs"] = new JsonArray([.. report.Epochs.Select(e => new JsonObject
        { ["epoch"] = e.Epoch, ["consumed"] = e.Consumed, ["blocks"] = e.Blocks })]),
        ["sources"] = new JsonArray([.. report.Sources.Select(s => new JsonObject
        {
            ["source"] = s.Source, ["blocks"] = s.Blocks, ["samples"] = s.Samples, ["least"] = s.Least, ["most"] = s.Most,
        })]),
        ["segments"] = RunJson.Segments(report.Changes),
        ["drawn"] = report.Drawn.Drawn,
        ["drawnAndAlone"] = CommandOutput.Texts(report.Drawn.Single.Select(s => $"{s}")),
        ["problems"] = CommandOutput.Texts(report.Problems),
        ["proven"] = report.IsProven,
    };
}
