using System.Globalization;
using System.Text;
using Elastic.Foundation;
using ZstdSharp;

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
    private readonly Dictionary<SourceSplit, Series> _kept;
    private readonly Dictionary<string, SourceSplit> _splits;
    private readonly Series _dropped;
    private readonly Series _documents;
    private readonly Counts _read = new();
    private readonly Counts _stayed = new();
    private readonly Counts _went = new();
    private readonly List<string> _rejects = [];
    private PieceSummary _found = PieceSummary.None;
    // The pieces of a file are one.
    private PieceSummary _ofFile = PieceSummary.None;
    private long _number;

    public TextWriters(string folder, Digest id, BuildManifest manifest)
    {
        (_folder, _id, _manifest) = (folder, id, manifest);
        _splits = manifest.Sources.ToDictionary(s => s.Name, s => s.Split, StringComparer.Ordinal);
        _kept = _splits.Values.Append(SourceSplit.Train).Distinct().ToDictionary(split => split, split => split switch
        {
            SourceSplit.Validation => new Series(Path.Combine(folder, BuiltText.Validation), "validation"),
            SourceSplit.Test => new Series(Path.Combine(folder, "test"), "test"),
            _ => new Series(Path.Combine(folder, "text"), "kept"),
        });
        _dropped = new Series(Path.Combine(folder, "dropped"), "dropped");
        _documents = new Series(Path.Combine(folder, "documents"), "documents");
    }

    /// <param name="stage">The stage that dropped it, -1 for none; the number of stages where no text was left.</param>
    public void Append(PieceDocument document, string text, int stage, Removal? match)
    {
        var facts = document.Facts;
        var number = _number++;
        var dropped = stage < 0 ? null : NameOf(stage);
        var why = dropped is null ? null : WhyOf(document, stage, match);
        _documents.Write(new
        {
            id = number,
            source = facts.Source,
            name = facts.Name,
            language = facts.Language,
            licence = facts.Licence,
            subset = facts.Subset,
            url = facts.Url,
            date = facts.Date,
            code = facts.Code,
            bytes = document.Bytes,
            dropped,
            why,
            match = match?.Match,
            similarity = match?.Similarity,
            signals = SignalsOf(document),
        });
        if (dropped is null)
            _kept[_splits[facts.Source]].Write(
                new { text, source = facts.Subset is null ? facts.Source : $"{facts.Source}/{facts.Subset}", id = number });
        else
            _dropped.Write(new { text, source = facts.Source, id = number, dropped, why });
        _read.Add(facts.Source, document.Bytes);
        (dropped is null ? _stayed : _went).Add(dropped ?? facts.Source, document.Bytes);
    }

    /// <summary>Names what could not be read before there were pieces.</summary>
    public void Reject(IEnumerable<string> lines) => _rejects.AddRange(lines);

    /// <summary>Counts what reading a piece found besides documents.</summary>
    public void Append(SourcePiece piece, PieceSummary summary)
    {
        _found = _found.Then(summary);
        if (piece.File.Part is not { Number: > 0 })
            EndFile();
        _ofFile = _ofFile.Then(summary);
    }

    private void EndFile()
    {
        _rejects.AddRange(_ofFile.Lines());
        _ofFile = PieceSummary.None;
    }

    /// <summary>Writes the report, last.</summary>
    /// <exception cref="ElasticException">Nothing is left.</exception>
    public void Complete()
    {
        EndFile();
        string[] sources = [.. _manifest.Sources.Select(s => s.Name)];
        string[] stages = [.. Enumerable.Range(0, _manifest.Stages.Count + 1).Select(NameOf).Distinct()];
        var report = new BuildReport(
            _id.Hex, _read.Of(sources), _stayed.Of(sources), _went.Of(stages), _found.Empty, _found.InvalidUtf8Sequences,
            _found.Malformed, _found.LostBytes, _found.Unread);
        if (report.Kept.Sum(s => s.Documents) == 0)
            throw new ElasticException($"nothing is left of {_number} documents: "
                + string.Join(", ", report.Dropped.Where(d => d.Documents > 0).Select(d => $"{d.Name} dropped {d.Documents}"))
                + "; move its thresholds, or check what the sources hold");
        foreach (var kept in _kept.Values)
            kept.Complete();
        _dropped.Complete();
        _documents.Complete();
        if (_rejects.Count > 0)
            DurableFile.WriteDurably(
                Path.Combine(_folder, "rejects.txt"), Encoding.UTF8.GetBytes(string.Concat(_rejects.Select(line => line + "\n"))));
        DurableFile.WriteDurably(Path.Combine(_folder, "datasheet.md"), Encoding.UTF8.GetBytes(Datasheet.Of(report, _manifest)));
        DurableFile.WriteDurably(Path.Combine(_folder, BuiltText.FileName), [.. PieceLines.Of(report), (byte)'\n']);
    }

    public void Dispose()
    {
        foreach (var kept in _kept.Values)
            kept.Dispose();
        _dropped.Dispose();
        _documents.Dispose();
    }

    private string NameOf(int stage) => stage < _manifest.Stages.Count ? _manifest.Stages[stage].Kind.Name : "no text left";

    private string WhyOf(PieceDocument document, int stage, Removal? match) =>
        stage == _manifest.Stages.Count ? "the stages left no text of it"
        : match is { } removal ? string.Create(
            CultureInfo.InvariantCulture, $"document {removal.Match} is like it, with a similarity of {removal.Similarity:0.###}")
        : _manifest.Stages[stage].Stage.Refusal(document.Signals[stage])
            ?? throw new InvalidOperationException($"{NameOf(stage)} dropped document {_number - 1} and would keep it");

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
        private readonly Dictionary<string, TextShare> _shares = new(StringComparer.Ordinal);

        public void Add(string name, int bytes)
        {
            var so = Of(name);
            _shares[name] = so with { Documents = so.Documents + 1, Bytes = so.Bytes + bytes };
        }

        public IReadOnlyList<TextShare> Of(IEnumerable<string> names) => [.. names.Select(Of)];

        private TextShare Of(string name) => _shares.GetValueOrDefault(name) ?? new TextShare(name, 0, 0);
    }

    /// <summary>Files of lines, packed: "kept-00000.jsonl.zst", "kept-00001.jsonl.zst" …</summary>
    private sealed class Series : IDisposable
    {
        private const long LinesBytes = 256L << 20;
        private const int Level = 3;

        private readonly string _folder;
        private readonly string _kind;
        private CompressionStream? _open;
        private string _path = "";
        private long _bytes;
        private int _files;

        public Series(string folder, string kind)
        {
            Directory.CreateDirectory(folder);
            (_folder, _kind) = (folder, kind);
        }

        public void Write<T>(T line)
        {
            _open ??= Next();
            var bytes = PieceLines.Of(line);
            _open.Write(bytes);
            _open.WriteByte((byte)'\n');
            _bytes += bytes.Length + 1;
            if (_bytes >= LinesBytes)
                Complete();
        }

        public void Complete()
        {
            if (_open is null)
                return;
            _open.Dispose();
            _open = null;
            DurableFile.Flush(_path);
            DurableFile.FlushFolder(_folder);
        }

        public void Dispose() => _open?.Dispose();

        private CompressionStream Next()
        {
            (_path, _bytes) = (Path.Combine(_folder, $"{_kind}-{_files++:00000}.jsonl.zst"), 0);
            return new CompressionStream(
                new FileStream(_path, FileMode.CreateNew, FileAccess.Write, FileShare.None), Level, leaveOpen: false);
        }
    }
}
