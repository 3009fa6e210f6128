using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Networks;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>The request that starts a run, or resumes it, made from its settings and its corpus.</summary>
internal static class RunStart
{
    /// <summary>
    /// The model with the digest of the weights that it starts from. Where the run of that name has these settings already, they are not
    /// read again: it has its version 0, or the digest that version 0 must have.
    /// </summary>
    /// <param name="known">Of the run of that name; null where there is none.</param>
    /// <exception cref="ElasticException">There are no such weights, or they are of another model.</exception>
    public static Task<ModelSettings> PinAsync(ModelSettings model, ModelSettings? known)
    {
        if (known?.InitDigest != model.InitDigest || known is null)
            return Task.Run(() => StartingPoint.Pin(model));
        // A command that names the run takes its digest over: of other weights it says nothing.
        return known.Init == model.Init ? Task.FromResult(model) : Task.Run(() => StartingPoint.Pin(model with { InitDigest = null }));
    }

    public const string MixtureKey = "corpus.mixture";

    /// <summary>Looks whether the mixtures that a run is changed to fit its corpus: a node that reads them finds out too late.</summary>
    /// <param name="settings">What the run is started with.</param>
    /// <param name="changes">See <see cref="PartialSettings"/>, one after the other.</param>
    /// <exception cref="ElasticException">One does not fit.</exception>
    public static void CheckMixture(TrainingSettings settings, IEnumerable<string> changes, BuiltCorpus corpus)
    {
        foreach (var change in changes.Where(c => PartialSettings.Read(c).Any(v => v.Setting.Key == MixtureKey)))
            _ = MixtureOrder.Of(
                settings.Run.Seed, PartialSettings.Apply(settings, change).Corpus.Mixture, corpus.TrainShards, SampleCut.Of(settings));
    }

    /// <param name="changes">What changes in mid-run.</param>
    /// <param name="arithmetic">Of the node where it starts.</param>
    /// <returns>The request in parts that can be sent; the last one is answered.</returns>
    /// <exception cref="ElasticException">The settings are too long.</exception>
    public static async Task<RunRequest.Start[]> PartsAsync(
        TrainingSettings settings, BuiltCorpus corpus, IReadOnlyList<SettingsChange> changes, Origin origin, string arithmetic)
    {
        CheckMixture(settings, changes.Select(c => c.Settings), corpus);
        var start = new RunRequest.Start(new RunName(settings.Run.Name), origin)
        {
            Settings = SettingsText.Write(settings),
            Elements = Architectures.LayoutOf(settings.Model).TrainedLength,
            Corpus = corpus.Id,
            Manifest = Digest.Of(await File.ReadAllBytesAsync(Path.Combine(corpus.Folder, CorpusManifest.FileName))),
            Blocks = SampleStream.Of(settings, corpus).Samples,
            HeldOutBlocks = SampleCut.Of(settings).CountIn(corpus.HeldOutShards),
            Arithmetic = arithmetic,
            Changes = [.. changes],
        };
        var parts = start.Parts().ToArray();
        return parts.Length <= MessageParts.MostParts
            ? parts
            : throw new ElasticException($"the settings of the run have {start.Settings.Length} characters, and at most "
                + $"{MessageParts.MostParts * Part.MostCharacters} are sent: name folders in corpus.sources instead of their files");
    }
}
