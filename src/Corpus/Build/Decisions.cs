using System.Runtime.InteropServices;

namespace Elastic.Corpus.Build;

/// <summary>
/// Which documents stay, and which stage dropped each of the others. Documents are known by their number in key order; one byte of memory
/// each, and what they matched is sorted on the disk. Not thread-safe.
/// </summary>
internal sealed class Decisions : IDisposable
{
    private const byte Kept = 0;

    /// <summary>In place of a stage's number: the stages left no text.</summary>
    private const byte Emptied = byte.MaxValue;

    private readonly List<byte> _fates = [];
    private readonly ExternalSort<Match> _matches;
    private readonly string _folder;

    /// <param name="folder">Takes what memory does not hold.</param>
    public Decisions(string folder)
    {
        _folder = folder;
        _matches = new ExternalSort<Match>(folder, (a, b) => a.Number.CompareTo(b.Number));
    }

    /// <summary>Most stages that a manifest may have.</summary>
    public const int MostStages = 200;

    /// <summary>Lets each stage decide, in their order.</summary>
    /// <param name="documents">Gives all documents in key order, as often as it is called.</param>
    /// <param name="texts">Their texts.</param>
    public void Make(IReadOnlyList<PlannedStage> stages, Func<IEnumerable<PieceDocument>> documents, DocumentTexts texts)
    {
        foreach (var document in documents())
            _fates.Add(document.Bytes == 0 ? Emptied : Kept);
        for (var first = 0; first < stages.Count;)
        {
            if (stages[first].Stage is CorpusStage stage)
            {
                Compare(stage, first++, documents(), texts);
                continue;
            }
            var last = first;
            while (last < stages.Count && stages[last].Stage is not CorpusStage)
                last++;
            Judge(stages, first, last, documents());
            first = last;
        }
    }

    /// <summary>
    /// For each document in key order the number of the stage that dropped it, -1 where it stays, and the number of stages where none was
    /// left of it; with the document that it matched, where it was dropped for one.
    /// </summary>
    public IEnumerable<(int Stage, Removal? Match)> InOrder(int stages)
    {
        using var matches = _matches.Sorted().GetEnumerator();
        var next = matches.MoveNext();
        for (var number = 0; number < _fates.Count; number++)
        {
            Removal? match = null;
            if (next && matches.Current.Number == number)
            {
                match = new Removal(number, matches.Current.Other, matches.Current.Similarity);
                next = matches.MoveNext();
            }
            yield return (_fates[number] == Emptied ? stages : _fates[number] - 1, match);
        }
    }

    public void Dispose() => _matches.Dispose();

    private void Judge(IReadOnlyList<PlannedStage> stages, int first, int last, IEnumerable<PieceDocument> documents)
    {
        foreach (var (number, document) in documents.Index())
        {
            for (var i = first; i < last && _fates[number] == Kept; i++)
            {
                if (document.Signals[i] is { } signals && stages[i].Stage.Refusal(signals) is not null)
                    _fates[number] = (byte)(i + 1);
            }
        }
    }

    private void Compare(CorpusStage stage, int index, IEnumerable<PieceDocument> documents, DocumentTexts texts)
    {
        // As they were before this stage: nothing forces it to ask for all candidates before its first decision.
        var fates = _fates.ToArray();
        var candidates = documents.Index()
            .Where(d => fates[d.Index] == Kept && d.Item.Sketches[index] is { Length: > 0 })
            .Select(d => new Candidate(d.Index, d.Item.Sketches[index]!));
        foreach (var removal in stage.Decide(candidates, texts, _folder))
        {
            _fates[(int)removal.Number] = (byte)(index + 1);
            _matches.Add(new Match(removal.Number, removal.Match, removal.Similarity));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Match(long Number, long Other, double Similarity);
}
