using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>Shows one run to a person while it runs. Each call returns at once; disposing shows what is still waiting.</summary>
internal interface IRunDisplay : IAsyncDisposable
{
    /// <summary>Describes the run; shown once the settings are final.</summary>
    void Header(IReadOnlyList<string> lines);

    void Corpus(CorpusProgress progress);

    /// <summary>How far the text of a manifest is.</summary>
    void Text(BuildSight progress);

    void Show(RunView view);

    /// <summary>A sentence that stays on the screen.</summary>
    void Notice(string text);
}
