using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>The request that starts a run, or resumes it, made from its settings and its corpus.</summary>
internal static class RunStart
{
    /// <summary>
    /// The model with the digest of the weights that it starts from. Where the run of that name has these settings already, they are not
    /// read again: it has its version 0, or the digest that version 0 must have.
    /// </summary>
    /// <param name="known">Model settings of the run of the same name; null where there is none.</param>
    /// <param name="models">Models that this machine stores.</param>
    /// <exception cref="ElasticException">There are no such weights, or they are of another model.</exception>
    public static async Task<ModelSettings> PinAsync(ModelSettings model, ModelSettings? known, StoredModels models)
    {
        var isKnown = known is not null && known.InitDigest == model.InitDigest;
        if (isKnown && known!.Init == model.Init)
            return model;
        // A command that names the run takes its digest over: of other weights it says nothing.
        var here = await models.BringAsync(isKnown ? model with { InitDigest = null } : model, CancellationToken.None);
        return model with { InitDigest = (await Task.Run(() => StartingPoint.Pin(here))).InitDigest };
    }

    public const string MixtureKey = "corpus.mixture";

    /// <summary>
    /// Looks whether the mixtures that a run is changed to fit its corpus: a node that reads them finds out too late. Of a run that reads
    /// its corpus while it is built the supervisor refuses them all.
    /// </summary>
    /// <param name="settings">What the run is started with.</param>
    /// <param name="changes">See <see cref="PartialSettings"/>, one after the other.</param>
    /// <exception cref="ElasticException">One does not fit.</exception>
    public static void CheckMixture(TrainingSettings settings, IEnumerable<string> changes, BuiltCorpus corpus)
    {
        if (settings.Corpus.Order == CorpusOrder.Stream)
            return;
        foreach (var change in changes.Where(c => PartialSettings.Read(c).Any(v => v.Setting.Key == MixtureKey)))
            _ = MixtureOrder.Of(
                settings.Run.Seed, PartialSettings.Apply(settings, change).Corpus.Mixture, corpus.TrainShards, SampleCut.Of(settings));
    }

    /// <summary>The request as a whole.</summary>
    /// <param name="changes">What changes in mid-run.</param>
    /// <param name="arithmetic">Arithmetic of the node where the run starts.</param>
    /// <exception cref="ElasticException">The model cannot be cut into <c>run.stages</c>.</exception>
    public static RunRequest.Start Of(
        TrainingSettings settings, Digest corpus, long blocks, long heldOutBlocks, IReadOnlyList<SettingsChange> changes, Origin origin,
        string arithmetic)
    {
        if (settings.Run.Stages > 1 && StagePlan.Problem(settings, settings.Run.Stages) is { } problem)
            throw new ElasticException(problem);
        return new(new RunName(settings.Run.Name), origin)
        {
            Settings = SettingsText.Write(settings),
            Elements = Architectures.LayoutOf(settings.Model).TrainedLength,
            Corpus = corpus,
            Blocks = blocks,
            HeldOutBlocks = heldOutBlocks,
            Arithmetic = arithmetic,
            Changes = [.. changes],
        };
    }

    /// <summary>
    /// Blocks of a corpus to train on (0 for one that grows: it says so window by window), and those kept for evaluation.
    /// </summary>
    /// <exception cref="ElasticException"><c>corpus.mixture</c> and the corpus do not fit together.</exception>
    public static (long Blocks, long HeldOut) BlocksOf(TrainingSettings settings, BuiltCorpus corpus) =>
        (corpus.IsGrowing ? 0 : SampleStream.Of(settings, corpus).Samples, SampleCut.Of(settings).CountIn(corpus.HeldOutShards));

    /// <inheritdoc cref="Of" path="/param"/>
    /// <returns>The request in parts that can be sent; the last one is answered.</returns>
    /// <exception cref="ElasticException">The settings are too long.</exception>
    public static RunRequest.Start[] Parts(
        TrainingSettings settings, BuiltCorpus corpus, IReadOnlyList<SettingsChange> changes, Origin origin, string arithmetic)
    {
        CheckMixture(settings, changes.Select(c => c.Settings), corpus);
        var (blocks, heldOut) = BlocksOf(settings, corpus);
        return Parts(Of(settings, corpus.Id, blocks, heldOut, changes, origin, arithmetic) with { Manifest = corpus.ManifestDigest });
    }

    /// <returns>The request in parts that can be sent; the last one is answered.</returns>
    /// <exception cref="ElasticException">The settings are too long.</exception>
    public static RunRequest.Start[] Parts(RunRequest.Start start)
    {
        var parts = start.Parts().ToArray();
        return parts.Length <= MessageParts.MostParts
            ? parts
            : throw new ElasticException($"the settings of the run have {start.Settings.Length} characters, and at most "
                + $"{MessageParts.MostParts * Part.MostCharacters} are sent: name folders in corpus.sources instead of their files");
    }
}
