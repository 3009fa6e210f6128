using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>Reads a piece of a source through the stages of a manifest, document by document.</summary>
/// <param name="step">See <see cref="CorpusBuilder.Step"/>.</param>
internal sealed class PieceReader(SourcePiece piece, BuildManifest manifest, Action<string>? step, CancellationToken cancel)
{
    /// <summary>Reads it.</summary>
    /// <returns>What reading found.</returns>
    /// <exception cref="ElasticException">The file cannot be read, or has changed since it was named.</exception>
    public PieceSummary Read(PieceWriter writer)
    {
        var (statistics, takenDown) = (new ReadStatistics(), 0L);
        var file = piece.File with { Cancel = cancel };
        foreach (var document in DocumentReader.Read(file, statistics))
        {
            cancel.ThrowIfCancellationRequested();
            step?.Invoke(BuildWatch.Reads);
            var read = Through(document);
            takenDown += read.Document.TakenDown ? 1 : 0;
            writer.Append(read);
            if (statistics.Documents < piece.Limit)
                continue;
            file.CheckUnchanged(file.Hash());
            break;
        }
        // A library that takes the word to stop for damage ends a file early: nothing of that is kept.
        cancel.ThrowIfCancellationRequested();
        var summary = PieceSummary.Of(statistics) with { TakenDown = takenDown };
        writer.Complete(summary);
        return summary;
    }

    private (PieceDocument Document, string Text) Through(Document document)
    {
        var source = manifest.Sources[piece.Source];
        var facts = new DocumentFacts(source.Name, document.Name, document.Format ?? piece.File.Format)
        {
            Line = document.Line,
            Licence = document.Licence ?? source.Licence,
            Language = source.Language ?? document.Language,
            Subset = source.Subsets && document.Source != piece.File.Name ? document.Source : null,
            Url = document.Url,
            Date = document.Date,
            Code = document.Code,
        };
        var (signals, sketches) = (new double[]?[manifest.Stages.Count], new byte[]?[manifest.Stages.Count]);
        if (manifest.TakeDowns.Cover(facts))
            return (new PieceDocument(facts, 0, 0, 0, signals, sketches) { TakenDown = true }, "");
        var draft = new Draft(facts, document.Text) { Fields = document.Fields, Cancel = cancel };
        foreach (var (i, planned) in manifest.Stages.Index())
        {
            if (draft.Text.Length == 0 || !planned.Scope.Contains(draft.Facts))
                continue;
            // A document may be large, and a stage slow.
            cancel.ThrowIfCancellationRequested();
            step?.Invoke(planned.Kind.Name);
            signals[i] = planned.Stage.Read(draft);
            sketches[i] = (planned.Stage as SketchingStage)?.Sketch(draft);
        }
        return (new PieceDocument(draft.Facts, 0, 0, 0, signals, sketches), draft.Text);
    }
}
