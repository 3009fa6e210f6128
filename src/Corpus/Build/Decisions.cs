using System.Runtime.InteropServices;

namespace Elastic.Corpus.Build;

/// <summary>
/// Which documents stay, and which stage dropped each of the others. Documents are known by their number in key order: one byte of memory
/// each, and eight more where documents are compared. What they matched is sorted on the disk. Not thread-safe.
/// </summary>
internal sealed class Decisions : IDisposable
{
    /// <summary>Most stages that a manifest may have.</summary>
    public const int MostStages = 200;

    private const byte Kept = 0;

    // In place of a stage's number.
    private const byte Emptied = byte.MaxValue, TakenDown = byte.MaxValue - 1;

    private readonly IReadOnlyList<PlannedStage> _stages;
    private readonly Func<IEnumerable<PieceDocument>> _documents;
    private readonly List<byte> _fates = [];
    private readonly ExternalSort<Match> _matches;
    private readonly ExternalSort<LeftRange> _left;
    private readonly ExternalSort<WithinRange> _within;
    private readonly string _folder;
    private readonly CancellationToken _cancel;
    private readonly List<LargeBuckets> _largeBuckets = [];

    // Of each document the one that stays in its place, where documents are compared.
    private int[] _standIns = [];

    /// <param name="documents">Gives all documents in key order, as often as it is called.</param>
    /// <param name="folder">Takes what memory does not hold.</param>
    /// <param name="cancel">Ends it: looked at with each document.</param>
    public Decisions(
        IReadOnlyList<PlannedStage> stages, Func<IEnumerable<PieceDocument>> documents, string folder, CancellationToken cancel)
    {
        (_stages, _documents, _folder, _cancel) = (stages, documents, folder, cancel);
        _matches = new ExternalSort<Match>(folder, (a, b) => a.Number.CompareTo(b.Number), cancel);
        _left = new ExternalSort<LeftRange>(folder, (a, b) => (a.Number, a.Stage, a.From).CompareTo((b.Number, b.Stage, b.From)), cancel);
        _within = new ExternalSort<WithinRange>(
            folder, (a, b) => (a.Number, a.Stage, a.From).CompareTo((b.Number, b.Stage, b.From)), cancel);
    }

    /// <summary>What the stages did not compare, in their order.</summary>
    public IReadOnlyList<LargeBuckets> LargeBuckets => _largeBuckets;

    /// <summary>Lets each stage decide, in their order.</summary>
    /// <param name="texts">The texts of all documents.</param>
    /// <param name="isTraining">True for a document that is to be trained on, if it stays.</param>
    public void Make(DocumentTexts texts, Func<PieceDocument, bool> isTraining, BuildWatch watch)
    {
        foreach (var document in Documents())
            _fates.Add(document.TakenDown ? TakenDown : document.Bytes == 0 ? Emptied : Kept);
        if (_stages.Any(s => s.Stage is CorpusStage))
            _standIns = [.. Enumerable.Range(0, _fates.Count)];
        for (var first = 0; first < _stages.Count;)
        {
            if (_stages[first].Stage is CorpusStage stage)
            {
                Compare(stage, first, texts, Entered(first, watch));
                watch.Decided(first, _fates.LongCount(fate => fate == first + 1));
                first++;
                continue;
            }
            if (_stages[first].Stage is TrimmingStage trimming)
            {
                Trim(trimming, first, isTraining, Entered(first, watch));
                watch.Decided(first, _fates.LongCount(fate => fate == first + 1));
                first++;
                continue;
            }
            if (_stages[first].Stage is CuttingStage cutting)
            {
                Cut(cutting, first, isTraining, Entered(first, watch));
                watch.Decided(first, _fates.LongCount(fate => fate == first + 1));
                first++;
                continue;
            }
            var last = first;
            while (last < _stages.Count && _stages[last].Stage is not (CorpusStage or TrimmingStage or CuttingStage))
                last++;
            Judge(first, last);
            for (; first < last; first++)
                watch.Decided(first, _fates.LongCount(fate => fate == first + 1));
        }
    }

    // The step of this stage.
    private Action Entered(int stage, BuildWatch watch)
    {
        var phase = $"decides: {_stages[stage].Kind.Name}";
        watch.Enter(phase);
        return () => watch.Step(phase);
    }

    /// <summary>What becomes of each document, in key order. To be called once.</summary>
    public IEnumerable<Fate> InOrder()
    {
        var clusters = Clusters();
        using var matches = _matches.Sorted().GetEnumerator();
        using var left = _left.Sorted().GetEnumerator();
        using var within = _within.Sorted().GetEnumerator();
        var (hasMatch, hasLeft, hasWithin) = (matches.MoveNext(), left.MoveNext(), within.MoveNext());
        for (var number = 0; number < _fates.Count; number++)
        {
            Removal? match = null;
            if (hasMatch && matches.Current.Number == number)
            {
                match = new Removal(number, matches.Current.Other, matches.Current.Similarity);
                hasMatch = matches.MoveNext();
            }
            var ranges = new List<LeftRange>();
            while (hasLeft && left.Current.Number == number)
            {
                ranges.Add(left.Current);
                hasLeft = left.MoveNext();
            }
            // Of a document that a later stage cut to nothing this is what the ones before have left: it goes all the same.
            var rest = _fates[number] == Kept ? CutTexts.Rest(ranges.GroupBy(r => r.Stage).Select(
                g => ((CuttingStage)_stages[g.Key].Stage, (IReadOnlyList<Range>)[.. g.Select(r => r.From..r.To)]))) : null;
            var stage = _fates[number] switch
            {
                Kept when rest is [] => _stages.Count,
                Emptied => _stages.Count,
                TakenDown => _stages.Count + 1,
                var fate => fate - 1,
            };
            var kept = new List<WithinRange>();
            while (hasWithin && within.Current.Number == number)
            {
                kept.Add(within.Current);
                hasWithin = within.MoveNext();
            }
            yield return new Fate(stage, match, clusters.Length == 0 ? 1 : clusters[_standIns[number]], stage < 0 ? rest : null)
                .Trimmed(Within(kept), length => ranges.Select(r => r.Stage).Distinct()
                    .All(s => ((CuttingStage)_stages[s].Stage).Rest([0..length]).Count > 0), _stages.Count);
        }
    }

    public void Dispose()
    {
        _matches.Dispose();
        _left.Dispose();
        _within.Dispose();
    }

    private void Judge(int first, int last)
    {
        foreach (var (number, document) in Documents().Index())
        {
            for (var i = first; i < last && _fates[number] == Kept; i++)
            {
                if (document.Signals[i] is { } signals && _stages[i].Stage.Refusal(signals) is not null)
                    _fates[number] = (byte)(i + 1);
            }
        }
    }

    private void Compare(CorpusStage stage, int index, DocumentTexts texts, Action step)
    {
        var work = new StageWork(_folder, _cancel);
        foreach (var removal in stage.Decide(Candidates(index, _ => true, step), texts, work))
        {
            _cancel.ThrowIfCancellationRequested();
            _fates[(int)removal.Number] = (byte)(index + 1);
            _standIns[(int)removal.Number] = (int)removal.StandIn;
            _matches.Add(new Match(removal.Number, removal.Match, removal.Similarity));
        }
        if (work.LargeBuckets is { } large)
            _largeBuckets.Add(large);
    }

    private void Cut(CuttingStage stage, int index, Func<PieceDocument, bool> isTraining, Action step)
    {
        foreach (var (number, left) in stage.Cut(Candidates(index, isTraining, step), new StageWork(_folder, _cancel)))
        {
            _cancel.ThrowIfCancellationRequested();
            if (left.Count == 0)
                _fates[(int)number] = (byte)(index + 1);
            foreach (var range in left)
                _left.Add(new LeftRange(number, index, range.Start.Value, range.End.Value));
        }
    }

    private void Trim(TrimmingStage stage, int index, Func<PieceDocument, bool> isTraining, Action step)
    {
        foreach (var (number, left) in stage.Trim(Candidates(index, isTraining, step), new StageWork(_folder, _cancel)))
        {
            _cancel.ThrowIfCancellationRequested();
            if (left.Count == 0)
                _fates[(int)number] = (byte)(index + 1);
            foreach (var range in left)
                _within.Add(new WithinRange(number, index, range.Start.Value, range.End.Value));
        }
    }

    // What all stages have left of a document, of which each left something; null where none took anything.
    private static IReadOnlyList<Range>? Within(List<WithinRange> kept) => kept.Count == 0 ? null
        : kept.GroupBy(r => r.Stage).Select(g => (IReadOnlyList<Range>)[.. g.Select(r => r.From..r.To)]).Aggregate(LeftRanges.Both);

    // As they were before this stage: nothing forces it to ask for all candidates before its first decision.
    private IEnumerable<Candidate> Candidates(int index, Func<PieceDocument, bool> isWanted, Action step)
    {
        var fates = _fates.ToArray();
        return Documents().Index()
            .Where(d => fates[d.Index] == Kept && d.Item.Sketches[index] is { Length: > 0 } && isWanted(d.Item))
            .Select(d =>
            {
                step();
                return new Candidate(d.Index, d.Item.Sketches[index]!);
            });
    }

    private IEnumerable<PieceDocument> Documents()
    {
        foreach (var document in _documents())
        {
            _cancel.ThrowIfCancellationRequested();
            yield return document;
        }
    }

    // Documents of each cluster, at the number of the one that stands in for all. That one comes first, whichever stages dropped the
    // others.
    private int[] Clusters()
    {
        var sizes = new int[_standIns.Length];
        for (var number = 0; number < sizes.Length; number++)
            sizes[_standIns[number] = _standIns[_standIns[number]]]++;
        return sizes;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Match(long Number, long Other, double Similarity);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct LeftRange(long Number, int Stage, int From, int To);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct WithinRange(long Number, int Stage, int From, int To);
}
