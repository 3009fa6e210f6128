using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Networks;

namespace Elastic.Actors.Control;

/// <summary>The request that starts a run, or resumes it, made from its settings and its corpus.</summary>
internal static class RunStart
{
    /// <param name="arithmetic">Of the node where it starts.</param>
    /// <returns>The request in parts that can be sent; the last one is answered.</returns>
    /// <exception cref="ElasticException">The settings are too long.</exception>
    public static async Task<RunRequest.Start[]> PartsAsync(
        TrainingSettings settings, BuiltCorpus corpus, Origin origin, string arithmetic)
    {
        var start = new RunRequest.Start(new RunName(settings.Run.Name), origin)
        {
            Settings = SettingsText.Write(settings),
            Elements = Architectures.LayoutOf(settings.Model).Length,
            Corpus = corpus.Id,
            Manifest = Digest.Of(await File.ReadAllBytesAsync(Path.Combine(corpus.Folder, CorpusManifest.FileName))),
            Blocks = new BlockMap(corpus.TrainShards, SampleCut.Of(settings)).Blocks,
            HeldOutBlocks = SampleCut.Of(settings).CountIn(corpus.HeldOutShards),
            Arithmetic = arithmetic,
        };
        var parts = start.Parts().ToArray();
        return parts.Length <= MessageParts.MostParts
            ? parts
            : throw new ElasticException($"the settings of the run have {start.Settings.Length} characters, and at most "
                + $"{MessageParts.MostParts * Part.MostCharacters} are sent: name folders in corpus.sources instead of their files");
    }
}
