using Elastic.Actors.Control;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;
using Elastic.Host.Display;

namespace Elastic.Host.Commands;

/// <summary>Makes clean text of the sources of a manifest, and shows the progress.</summary>
internal static class TextBuild
{
    /// <param name="step">See <see cref="CorpusBuilder.Step"/>.</param>
    public static async Task<BuiltText> RunAsync(
        BuildManifest manifest, DataDirectory data, IRunDisplay display, Action<string>? step, CancellationToken cancel)
    {
        var here = await new Downloads(data.Downloads, display.Notice).GetAsync(manifest, cancel);
        return await Task.Run(
            () =>
            {
                var text = new CorpusBuilder(here, new PieceStore(data.Pieces, step), data.Texts) { Step = step }
                    .Run(Environment.ProcessorCount, new Report(display), cancel);
                DefaultMixture.Write(text, manifest);
                return text;
            },
            cancel);
    }

    /// <summary>The settings of a corpus of that text.</summary>
    public static ElasticSettings Of(BuiltText text, ElasticSettings settings) => settings with
    {
        Training = settings.Training with { Corpus = DefaultMixture.Apply(text.CorpusOf(settings.Training.Corpus)) },
    };

    // The builder reports one after the other.
    private sealed class Report(IRunDisplay display) : IProgress<BuildProgress>
    {
        private readonly BuildPace _pace = new(TimeProvider.System);

        void IProgress<BuildProgress>.Report(BuildProgress value)
        {
            _pace.Add(value);
            display.Text(_pace.Sight());
        }
    }
}
