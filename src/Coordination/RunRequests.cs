using System.Collections.Immutable;
using System.Diagnostics;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Messages.Runs.RunRequest;

namespace Elastic.Coordination;

// Decides what people ask of a run. A repeated request changes nothing.
public static class RunRequests
{
    // A request is repeated within minutes; people make a few in an hour.
    private const int MostRemembered = 64;

    public static Decision Decide(RunState run, RunPlan? plan, RunRequest request) => request switch
    {
        _ when run.Requests.Contains(request.Origin.Id) => Decision.AlreadyDone,
        Start c when Unusable(c) is { } why => Decision.Refuse($"run {c.Run} cannot be started: {why}"),
        Start c when !run.Exists => Decision.Store(
            [new RunStarted(run.Id, c.Run, c.Settings, c.Elements, c.Corpus, c.Blocks, c.HeldOutBlocks, c.Arithmetic, c.Origin),
                .. Published(run, c)]),
        Start c => Reopen(run, c),
        _ when !run.Exists || plan is null => Decision.Refuse($"there is no run {request.Run}: start it first"),
        Pause when run.IsPaused || run.IsFinished => Decision.AlreadyDone,
        Pause c => Decision.Store(new RunPaused(run.Id, c.Origin)),
        _ => throw new UnreachableException($"undecided: {request}"),
    };

    /// <summary>The list of remembered requests with one more.</summary>
    public static ImmutableList<string> Remember(ImmutableList<string> requests, Origin by) =>
        requests.Contains(by.Id)
            ? requests
            : requests.Add(by.Id) is { Count: > MostRemembered } all ? all.RemoveAt(0) : requests.Add(by.Id);

    // Every later recovery folds what is stored: settings that cannot be read must not get into the journal.
    private static string? Unusable(Start c)
    {
        try
        {
            var settings = SettingsText.Read(c.Settings);
            if (settings.Problems().FirstOrDefault() is { } problem)
                return problem;
            if (c.Elements < 1)
                return $"its model has {c.Elements} parameters";
            if (c.Blocks < 1)
                return "its corpus has no training block: add text, or set model.context lower";
            _ = RunPlan.Of(settings, c.Elements, c.Blocks, c.HeldOutBlocks);
            return null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
        catch (OverflowException)
        {
            return "it has more rounds than can be counted: use fewer run.epochs, or more run.inner-steps";
        }
    }

    private static Decision Reopen(RunState run, Start c)
    {
        if (c.Corpus != run.Corpus)
            return Decision.Refuse($"run {c.Run} was started on another corpus ({run.Corpus!.Value.Short}, now {c.Corpus.Short}): " +
                                   "put the corpus back, or start a new run with --run NAME");
        var differences = SettingsDifference.Between(SettingsText.Read(run.Settings!), SettingsText.Read(c.Settings));
        if (differences.Count > 0)
            return Decision.Refuse($"run {c.Run} was started with other settings ({string.Join("; ", differences)}): " +
                                   "put them back to go on with it, or start a new run with --run NAME");
        // A process with devices sends its arithmetic. Where it sends none, each node's is compared when the node enlists.
        if (c.Arithmetic.Length > 0 && run.Arithmetic.Length > 0 && c.Arithmetic != run.Arithmetic)
            return Decision.Refuse($"run {c.Run} began with {Run.OtherArithmetic(run.Arithmetic, c.Arithmetic)}: " +
                                   "go on where the arithmetic is the same, " +
                                   "or start a new run from its checkpoint with --run NAME --set model.init=PATH");
        List<RunEvent> events = [.. Published(run, c)];
        if (c.Settings != run.Settings)
            events.Add(new SettingsChanged(run.Id, c.Settings, c.Origin));
        if (run.IsPaused)
            events.Add(new RunResumed(run.Id, c.Origin));
        return Decision.Store([.. events]);
    }

    private static IEnumerable<RunEvent> Published(RunState run, Start c) =>
        c.Manifest is { } manifest && manifest != run.Manifest ? [new CorpusPublished(run.Id, manifest)] : [];
}
