using Elastic.Actors.Corpora;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;
using Elastic.Host.Display;

namespace Elastic.Host.Commands;

/// <summary>Makes clean text of the sources of a manifest, and shows the progress.</summary>
internal static class TextBuild
{
    public static Task<BuiltText> RunAsync(BuildManifest manifest, DataDirectory data, IRunDisplay display, CancellationToken cancel) =>
        Task.Run(
            () =>
            {
                var text = new CorpusBuilder(manifest, new PieceStore(data.Pieces), data.Texts)
                    .Run(Environment.ProcessorCount, new Report(display), cancel);
                DefaultMixture.Write(text, manifest);
                return text;
            },
            cancel);

    /// <summary>The settings of a corpus of that text.</summary>
    public static ElasticSettings Of(BuiltText text, ElasticSettings settings) => settings with
    {
        Training = settings.Training with
        {
            Corpus = DefaultMixture.Apply(settings.Training.Corpus with
            {
                Sources = [text.TextFolder],
                Validation = Directory.Exists(text.FolderOf(Split.Validation)) ? [text.FolderOf(Split.Validation)] : [],
                Include = [],
                Exclude = [],
                TextField = "text",
            }),
        },
    };

    private sealed class Report(IRunDisplay display) : IProgress<BuildProgress>
    {
        void IProgress<BuildProgress>.Report(BuildProgress value) =>
            display.Corpus(new CorpusProgress(value.Documents, value.Bytes, value.OfBytes, TokensWritten: 0));
    }
}
