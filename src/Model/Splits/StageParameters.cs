using Elastic.Foundation;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// Which stage has which parameters, where each stage has memory of its own: a process, or a GPU. The owner of a parameter is the stage
/// whose operations write its gradient: it sums, clips and updates it. Another stage that reads it, as the first one a tied embedding,
/// has a copy. Frozen parameters have no owner: each stage that reads them has them.
/// </summary>
public sealed class StageParameters
{
    private readonly FlatLayout _layout;
    private readonly int[] _owners;                                                    // by segment
    private readonly SortedSet<int>[] _readers;                                        // by segment, with the owner
    private readonly List<int>[] _segmentsOfTile;

    /// <param name="count">Number of stages.</param>
    public StageParameters(IArchitecture architecture, FlatLayout layout, int count)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(layout);
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 1, architecture.Context, architecture.SourceContext), layout);
        architecture.Record(tape);
        (_layout, Stages) = (layout, TapeStage.Cut(tape, count));
        var index = layout.Segments.Select((segment, i) => (segment, i)).ToDictionary(p => p.segment.Name, p => p.i);
        _owners = [.. Enumerable.Repeat(-1, index.Count)];
        _readers = [.. _owners.Select(_ => new SortedSet<int>())];
        for (var stage = 0; stage < count; stage++)
        {
            foreach (var operation in tape.Operations.Take(Stages[stage].First..Stages[stage].End))
            {
                foreach (var name in operation.Parameters)
                    _readers[index[layout[name].Name]].Add(stage);
                foreach (var name in operation.ParametersWritten)
                {
                    ref var owner = ref _owners[index[layout[name].Name]];
                    Invariant.Holds(owner < 0 || owner == stage, $"the gradient of {name} is of one stage, but for rows summed apart");
                    owner = stage;
                }
                if (RowsFrom < 0 && operation.SumsRowsApart && layout[operation.Parameters[0]] is { Parameter.IsTrained: true } table)
                    (RowsFrom, Table) = (stage, table);
            }
        }
        for (var i = 0; i < _owners.Length; i++)
        {
            if (_owners[i] < 0)
                _owners[i] = _readers[i].FirstOrDefault();
            _readers[i].Add(_owners[i]);
        }
        if (Table is not null)
            RowsTo = _owners[index[Table.Name]];
        _segmentsOfTile = [.. Enumerable.Range(0, layout.Tiles).Select(_ => new List<int>())];
        for (var i = 0; i < _owners.Length; i++)
        {
            foreach (var tile in layout.Segments[i].Parameter.IsTrained ? TilesOf(layout.Segments[i]) : [])
                _segmentsOfTile[tile].Add(i);
        }
    }

    /// <summary>What each computes.</summary>
    public IReadOnlyList<TapeStage> Stages { get; }

    /// <summary>The stage that sums the rows of an embedding apart; -1 for none.</summary>
    public int RowsFrom { get; } = -1;

    /// <summary>The embedding whose rows <see cref="RowsFrom"/> sums apart; null for none.</summary>
    public Segment? Table { get; }

    /// <summary>Its owner.</summary>
    public int RowsTo { get; } = -1;

    /// <summary>What a stage owns, by offset.</summary>
    public IEnumerable<Segment> OwnedBy(int stage) =>
        _layout.Segments.Where((segment, i) => segment.Parameter.IsTrained && _owners[i] == stage);

    /// <summary>What a stage owns or reads, frozen parameters too, by offset.</summary>
    public IEnumerable<Segment> HeldBy(int stage) => _layout.Segments.Where((_, i) => _readers[i].Contains(stage));

    /// <summary>The elements that each stage owns, as runs of parameters that follow one another, with the zeros between them.</summary>
    public IEnumerable<(int Owner, long First, long Count)> Owners => Runs(_owners).Where(r => r.First < _layout.TrainedLength);

    /// <summary>The elements that a stage owns.</summary>
    public IEnumerable<(long First, long Count)> RangesOwnedBy(int stage) =>
        Owners.Where(r => r.Owner == stage).Select(r => (r.First, r.Count));

    /// <summary>The elements that a stage owns or reads. No run of them is both of trained parameters and of frozen ones.</summary>
    public IEnumerable<(long First, long Count)> RangesHeldBy(int stage) =>
        Runs([.. _readers.Select(r => r.Contains(stage) ? 1 : 0)]).Where(r => r.Owner == 1).Select(r => (r.First, r.Count));

    /// <summary>What lies in a range, cut into pieces.</summary>
    /// <param name="most">Elements of a piece.</param>
    public static IEnumerable<(int Owner, long First, int Count)> Within(
        IEnumerable<(int Owner, long First, long Count)> runs, long first, long count, int most)
    {
        ArgumentNullException.ThrowIfNull(runs);
        foreach (var (owner, start, length) in runs)
        {
            var end = Math.Min(start + length, first + count);
            for (var at = Math.Max(start, first); at < end; at += most)
                yield return (owner, at, (int)Math.Min(most, end - at));
        }
    }

    /// <summary>What an owner sends to another stage after each update.</summary>
    public IEnumerable<(Segment Parameter, int Owner, int Reader)> Copies => _layout.Segments.SelectMany((segment, i) => _readers[i]
        .Where(r => segment.Parameter.IsTrained && r != _owners[i]).Select(reader => (segment, _owners[i], reader)));

    /// <summary>The runs of tiles that hold some of these parameters.</summary>
    public static IReadOnlyList<Slice> RunsOf(IEnumerable<Segment> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var runs = new List<Slice>();
        foreach (var tile in parameters.SelectMany(TilesOf).Distinct().Order())
        {
            if (runs.Count > 0 && runs[^1].FirstTile + runs[^1].Tiles == tile)
                runs[^1] = runs[^1] with { Tiles = runs[^1].Tiles + 1 };
            else
                runs.Add(new Slice(tile, 1));
        }
        return runs;
    }

    /// <summary>True for a tile of which several stages have some parameters.</summary>
    public bool IsShared(int tile) => _segmentsOfTile[tile].Select(s => _owners[s]).Distinct().Count() > 1;

    /// <summary>How many sums of squares a stage tells the others.</summary>
    public int SumsOf(int stage) => Enumerable.Range(0, _layout.Tiles).Sum(
        tile => (IsShared(tile) ? _segmentsOfTile[tile] : _segmentsOfTile[tile].Take(1)).Count(s => _owners[s] == stage));

    /// <summary>
    /// What a stage tells the others of the gradient's norm: the sums of squares of the tiles that it has alone; of other tiles what each
    /// of its parameters adds, because the parameters of a tile are added in their order.
    /// </summary>
    /// <param name="tileSums">Sums of squares of the tiles of the stage's runs, by tile.</param>
    /// <param name="partsOf">What each trained parameter of a tile adds, in order.</param>
    public IEnumerable<double> ToTell(int stage, IReadOnlyDictionary<int, double> tileSums, Func<int, IReadOnlyList<double>> partsOf)
    {
        ArgumentNullException.ThrowIfNull(tileSums);
        ArgumentNullException.ThrowIfNull(partsOf);
        foreach (var tile in tileSums.Keys.Order())
        {
            if (!IsShared(tile))
            {
                yield return tileSums[tile];
                continue;
            }
            foreach (var (part, _) in partsOf(tile).Zip(_segmentsOfTile[tile]).Where(p => _owners[p.Second] == stage))
                yield return part;
        }
    }

    /// <summary>The sums of squares of all tiles, in tile order, from what each stage tells.</summary>
    public IReadOnlyList<double> TileSums(IReadOnlyList<IReadOnlyList<double>> told)
    {
        ArgumentNullException.ThrowIfNull(told);
        var next = new int[told.Count];
        var sums = new double[_layout.Tiles];
        for (var tile = 0; tile < sums.Length; tile++)
        {
            foreach (var segment in IsShared(tile) ? _segmentsOfTile[tile] : _segmentsOfTile[tile].Take(1))
                sums[tile] += told[_owners[segment]][next[_owners[segment]]++];
        }
        return sums;
    }

    // Consecutive segments of one number, all of them trained or all frozen.
    private IEnumerable<(int Owner, long First, long Count)> Runs(int[] numbers)
    {
        for (int first = 0, end; first < numbers.Length; first = end)
        {
            end = first + 1;
            while (end < numbers.Length && numbers[end] == numbers[first] && IsTrained(end) == IsTrained(first))
                end++;
            var start = _layout.Segments[first].Offset;
            yield return (numbers[first], start, _layout.Segments[end - 1].End - start);
        }
    }

    private bool IsTrained(int segment) => _layout.Segments[segment].Parameter.IsTrained;

    // Of its elements; those of padded rows have no gradient.
    private static IEnumerable<int> TilesOf(Segment segment)
    {
        var first = (int)(segment.Offset / FlatLayout.Tile);
        return Enumerable.Range(first, (int)((segment.Offset + segment.Count - 1) / FlatLayout.Tile) - first + 1);
    }
}
