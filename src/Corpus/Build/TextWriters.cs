using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// Writes the folder of a build, document by document in key order: the kept ones as records that corpora are made of, the dropped ones
/// with stage and reason, and a line of metadata for each. Not thread-safe.
/// </summary>
internal sealed class TextWriters : IDisposable
{
    private readonly string _folder;
    private readonly Digest _id;
    private readonly BuildManifest _manifest;
    private readonly Action<string> _step;
    private readonly TextSeries[] _kept;
    // The source whose text is written.
    private readonly string?[] _keptOf = new string?[3];
    private readonly TextSeries _dropped;
    private readonly TextSeries _documents;
    private readonly Counts _read = new(), _stayed = new(), _went = new(), _languages = new(), _licences = new(), _withoutUrl = new();
    private readonly Counts[] _splits = [new(), new(), new()];
    private readonly Examples _examples = new();
    private readonly List<string> _rejects = [];
    private PieceSummary _found = PieceSummary.None;
    // The pieces of a file are one.
    private PieceSummary _ofFile = PieceSummary.None;
    private string _source = "", _file = "";
    private long _number;

    /// <param name="step">See <see cref="CorpusBuilder.Step"/>.</param>
    public TextWriters(string folder, Digest id, BuildManifest manifest, Action<string> step)
    {
        (_folder, _id, _manifest, _step) = (folder, id, manifest, step);
        _kept = [.. Enum.GetValues<Split>().Select(s => new TextSeries(folder, BuiltText.NameOf(s), "kept"))];
        _dropped = new TextSeries(folder, BuiltText.Dropped, "dropped");
        _documents = new TextSeries(folder, BuiltText.Documents, "documents");
    }

    public void Append(PieceDocument document, string text, Fate fate)
    {
        var cut = fate.Texts(text);
        // Nothing but white space is left.
        if (cut is [])
            (fate, cut) = (fate with { Stage = _manifest.Stages.Count, Left = null, Within = null }, null);
        var row = RowOf(document, text, fate, cut);
        var facts = document.Facts;
        _number++;
        _documents.Write(row);
        _read.Add(facts.Source, document.Bytes);
        (row.Dropped is null ? _stayed : _went).Add(row.Dropped ?? facts.Source, document.Bytes);
        _examples.Add(row, text, document.Lot);
        var counted = facts.Subset is null ? facts.Source : $"{facts.Source}/{facts.Subset}";
        var record = new BuiltRecord { Text = text, Source = counted, Language = facts.Language, Id = row.Id };
        if (row.Dropped is not null)
        {
            if (text.Length > 0)
                _dropped.Write(record with { Dropped = row.Dropped, Why = row.Why });
            return;
        }
        _languages.Add(facts.Language ?? "not known", document.Bytes);
        _licences.Add(facts.Licence ?? "not said", document.Bytes);
        _splits[(int)row.Split].Add(facts.Source, document.Bytes);
        if (_keptOf[(int)row.Split] != facts.Source)
        {
            _keptOf[(int)row.Split] = facts.Source;
            _kept[(int)row.Split].Begin(_manifest.RankOf(facts.Source));
        }
        foreach (var kept in cut ?? [text])
            _kept[(int)row.Split].Write(record with { Text = kept });
    }

    /// <summary>Names what could not be read before there were pieces.</summary>
    public void Reject(IEnumerable<string> lines) => _rejects.AddRange(lines);

    /// <summary>Counts what reading a piece found besides documents.</summary>
    public void Append(SourcePiece piece, PieceSummary summary)
    {
        _found = _found.Then(summary);
        if (piece.File.Part is not { Number: > 0 })
            EndFile();
        (_source, _file) = (_manifest.Sources[piece.Source].Name, piece.File.Name);
        _ofFile = _ofFile.Then(summary);
        if (summary.WithoutUrl > 0 && (piece.File.Reading.Blocks?.HasUrls == true || _manifest.TakeDowns.HasUrls))
            _withoutUrl.Add(_source, summary.WithoutUrl, 0);
    }

    private void EndFile()
    {
        _rejects.AddRange(_ofFile.Lines().Select(line => $"source {_source}: {line}"));
        if (_ofFile.InvalidUtf8Sequences is var replaced and > 0)
            _rejects.Add($"source {_source}: {_file} has {Plural.Of(replaced, "sequence")} of bytes that became U+FFFD: they are not in "
                + "the encoding that the source is read in");
        _ofFile = PieceSummary.None;
    }

    /// <summary>Writes the report, last.</summary>
    /// <param name="largeBuckets">What the stages did not compare.</param>
    /// <exception cref="ElasticException">Nothing is left.</exception>
    public void Complete(IReadOnlyList<LargeBuckets> largeBuckets)
    {
        EndFile();
        var report = Report() with { LargeBuckets = largeBuckets };
        _rejects.AddRange(report.NotReachedByUrl());
        if (report.Kept.Sum(s => s.Documents) == 0)
            throw new ElasticException($"nothing is left of {_number} documents: "
                + string.Join(", ", report.Dropped.Where(d => d.Documents > 0).Select(d => $"{d.Name} dropped {d.Documents}"))
                + "; move its thresholds, or check what the sources hold");
        if (_splits[(int)Split.Train].Total == 0)
            throw new ElasticException($"all {report.Kept.Sum(s => s.Documents)} documents that are left are for validation or tests: "
                + "lower the shares of the sources (validation, test)");
        List<BuiltFile> files =
        [
            .. _kept.SelectMany(k => k.Complete()), .. _dropped.Complete(), .. _documents.Complete(),
            Written("datasheet.md", Datasheet.Markdown(report, _manifest, _examples.Chosen)),
            Written("datasheet.html", DatasheetPage.Of(report, _manifest, _examples.Chosen)),
        ];
        if (_rejects.Count > 0)
            files.Add(Written("rejects.txt", string.Concat(_rejects.Select(line => line + "\n"))));
        report = report with { Files = files };
        DurableFile.WriteDurably(Path.Combine(_folder, BuiltText.FileName), [.. PieceLines.Of(report), (byte)'\n']);
    }

    public void Dispose()
    {
        foreach (var series in _kept.Append(_dropped).Append(_documents))
            series.Dispose();
    }

    private BuildReport Report()
    {
        string[] sources = [.. _manifest.Sources.Select(s => s.Name)];
        string[] stages = [.. Enumerable.Range(0, _manifest.Stages.Count + 2).Select(NameOf).Distinct()];
        return new BuildReport(
            _id.Hex, _read.Of(sources), _stayed.Of(sources), _went.Of(stages), _found.Empty, _found.InvalidUtf8Sequences,
            _found.Malformed, _found.LostBytes, _found.Unread)
        {
            Validation = _splits[(int)Split.Validation].Of(sources),
            Test = _splits[(int)Split.Test].Of(sources),
            Languages = _languages.All,
            Licences = _licences.All,
            WithoutUrl = _withoutUrl.All,
            Stages = [.. _manifest.Stages.Select(s => s.Identity)],
            Signals =
            [
                .. _manifest.Stages.SelectMany(s => s.Stage.Signals.Select(n => $"{s.Kind.Name}.{n}")).Distinct()
                    .Order(StringComparer.Ordinal),
            ],
        };
    }

    private BuiltFile Written(string name, string text)
    {
        _step(name);
        var bytes = Encoding.UTF8.GetBytes(text);
        DurableFile.WriteDurably(Path.Combine(_folder, name), bytes);
        return new BuiltFile(name, bytes.Length, Digest.Of(bytes).Hex);
    }

    private BuiltDocument RowOf(PieceDocument document, string text, Fate fate, IReadOnlyList<string>? cut)
    {
        var facts = document.Facts;
        var skipped = document.Signals.Index().Where(s => s.Item is null).Select(s => s.Index).ToList();
        return new BuiltDocument
        {
            Id = _number,
            Source = facts.Source,
            Name = facts.Name,
            Line = facts.Line,
            Subset = facts.Subset,
            Url = facts.Url,
            Date = facts.Date,
            Code = facts.Code,
            Language = facts.Language,
            Licence = facts.Licence,
            Bytes = document.Bytes,
            Split = SplitOf(document),
            Dropped = fate.Stage < 0 ? null : NameOf(fate.Stage),
            Stage = fate.Stage >= 0 && fate.Stage < _manifest.Stages.Count ? fate.Stage : null,
            Why = fate.Stage < 0 ? null : WhyOf(document, fate),
            Match = fate.Match?.Match,
            Similarity = fate.Match?.Similarity,
            Cluster = fate.Cluster > 1 ? fate.Cluster : null,
            Pieces = cut?.Count,
            Cut = text.Length - cut?.Sum(c => c.Length),
            Skipped = skipped.Count > 0 && !document.TakenDown ? skipped : null,
            Signals = SignalsOf(document),
        };
    }

    private Split SplitOf(PieceDocument document) =>
        _manifest.SplitOf(document);

    private string NameOf(int stage) => stage < _manifest.Stages.Count ? _manifest.Stages[stage].Kind.Name
        : stage == _manifest.Stages.Count ? BuiltDocument.Emptied : BuiltDocument.TakenDown;

    private string WhyOf(PieceDocument document, Fate fate) =>
        fate.Stage == _manifest.Stages.Count ? "the stages left no text of it"
        : fate.Stage > _manifest.Stages.Count ? "the manifest takes it down"
        : fate.Match is { } removal ? ((CorpusStage)_manifest.Stages[fate.Stage].Stage).Why(removal)
        : _manifest.Stages[fate.Stage].Stage is TrimmingStage trimming ? trimming.Reason
        : _manifest.Stages[fate.Stage].Stage is CuttingStage cutting ? cutting.Reason
        : _manifest.Stages[fate.Stage].Stage.Refusal(document.Signals[fate.Stage])
            ?? throw new InvalidOperationException($"{NameOf(fate.Stage)} dropped document {_number} and would keep it");

    private SortedDictionary<string, double> SignalsOf(PieceDocument document)
    {
        var signals = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var (i, stage) in _manifest.Stages.Index())
        {
            foreach (var (name, value) in stage.Stage.Signals.Zip(document.Signals[i] ?? []))
                signals[$"{stage.Kind.Name}.{name}"] = value;
        }
        return signals;
    }

    private sealed class Counts
    {
        private readonly SortedDictionary<string, TextShare> _shares = new(StringComparer.Ordinal);

        public long Total => _shares.Values.Sum(s => s.Documents);

        public IReadOnlyList<TextShare> All => [.. _shares.Values];

        public void Add(string name, int bytes) => Add(name, 1, bytes);

        public void Add(string name, long documents, int bytes)
        {
            var so = Of(name);
            _shares[name] = so with { Documents = so.Documents + documents, Bytes = so.Bytes + bytes };
        }

        public IReadOnlyList<TextShare> Of(IEnumerable<string> names) => [.. names.Select(Of)];

        private TextShare Of(string name) => _shares.GetValueOrDefault(name) ?? new TextShare(name, 0, 0);
    }
}
