using Elastic.Actors.Corpora;
using Elastic.Coordination;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Control;

/// <summary>What the start of a run does to the run of that name.</summary>
public enum StartEffect
{
    /// <summary>There is none: it begins.</summary>
    Begins,

    /// <summary>It has committed no round, and another one begins in its place.</summary>
    BeginsAnew,

    /// <summary>It goes on as it is.</summary>
    GoesOn,

    /// <summary>It goes on under settings that it did not have before.</summary>
    Changes,
}

/// <summary>
/// What a start would come to, by the checks that the start itself makes, on the journal as it is. Nothing is stored for it.
/// </summary>
public sealed record StartPreview
{
    /// <summary>The settings as the run would have them.</summary>
    public required TrainingSettings Settings { get; init; }

    /// <summary>The run of that name; null where there is none.</summary>
    public required RunState? Run { get; init; }

    public required StartEffect Effect { get; init; }

    /// <summary>Why the start would be refused; null where it would not be.</summary>
    public required string? Refusal { get; init; }

    /// <summary>What a longer run does to its schedule; null for nothing.</summary>
    public required string? Notice { get; init; }

    public required Digest Corpus { get; init; }

    /// <summary>Blocks to train on; null where the corpus is still to be built.</summary>
    public required long? Blocks { get; init; }

    /// <summary>Blocks kept for evaluation.</summary>
    public required long HeldOutBlocks { get; init; }

    /// <summary>Files of the text; 0 where the corpus was found by its digest alone.</summary>
    public int Files { get; init; }

    /// <summary>Bytes of these files.</summary>
    public long Bytes { get; init; }

    /// <summary>What the sources hold and the corpus does not.</summary>
    public IReadOnlyList<string> PassedOver { get; init; } = [];

    /// <param name="run">State of the run that the settings name; null where there is none.</param>
    /// <param name="known">The corpus that a run goes on with; null where the sources say which one.</param>
    /// <exception cref="ElasticException">The start would fail before it asks a supervisor.</exception>
    internal static async Task<StartPreview> OfAsync(
        ElasticNode node, RunState? run, TrainingSettings settings, Digest? known, Origin origin, CancellationToken cancel)
    {
        settings = settings with { Corpus = DefaultMixture.Apply(settings.Corpus) };
        List<string> passedOver = [];
        var built = known is { } id ? node.OpenCorpus(id) : null;
        var named = built is null ? node.Corpora.Find(settings.Corpus, passedOver.Add, cancel) : null;
        built ??= named!.Built;
        settings = built is not null ? NodeControl.Resolve(settings, built) : Resolve(settings, named!);
        settings = settings with
        {
            Model = settings.Model.Init is null ? settings.Model
                : await RunStart.PinAsync(
                    settings.Model, run is null ? null : SettingsText.Read(run.Settings!).Model, new(node.Paths.Models)),
        };
        var corpus = built?.Id ?? named!.Id;
        // Of a corpus that is not built nobody knows the blocks yet; that there are some, and some held out, is the least.
        var (blocks, heldOut) = built is not null ? RunStart.BlocksOf(settings, built)
            : run?.Corpus == corpus ? (run.Blocks, run.HeldOutBlocks) : (1, 1);
        var start = RunStart.Of(settings, corpus, blocks, heldOut, [], origin, node.OwnArithmetic);
        RunStart.Parts(start);
        var decision = RunRequests.Decide(run ?? RunState.Empty(RunId.Draw(start.Run, new byte[Identifier.DrawnBytes])), null, start);
        var beginsAnew = run is not null && RunRequests.BeginsAnew(run, start, decision);
        var change = decision.Events.OfType<RunEvent.SettingsChanged>().LastOrDefault();
        return new StartPreview
        {
            Settings = settings,
            Run = run,
            Effect = run is null ? StartEffect.Begins
                : beginsAnew ? StartEffect.BeginsAnew
                : change is not null ? StartEffect.Changes : StartEffect.GoesOn,
            Refusal = decision.Refusal,
            Notice = change?.Extension is { } extension ? RunRequests.Describe(
                extension, SettingsText.Read(change.Settings), RunPlan.Of(Coordination.Run.Apply(run!, change)).Timeline) : null,
            Corpus = corpus,
            Blocks = built is null ? null : blocks,
            HeldOutBlocks = heldOut,
            Files = named?.Files.Count ?? 0,
            Bytes = named?.Files.Sum(f => f.Length) ?? 0,
            PassedOver = passedOver,
        };
    }

    // As they will be once the corpus is built.
    private static TrainingSettings Resolve(TrainingSettings settings, NamedCorpus named)
    {
        var tokenizer = CorpusBuild.OpenTokenizer(named);
        return NodeControl.WithVocabulary(
            settings with { Corpus = settings.Corpus with { Tokenizer = tokenizer.Id } }, tokenizer.Id, tokenizer.VocabularySize);
    }
}
