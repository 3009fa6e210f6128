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
    private readonly Series _kept;
    private readonly Series _dropped;
    private readonly Series _documents;
    private readonly Counts _read = new();
    private readonly Counts _stayed = new();
    private readonly Counts _went = new();
    private readonly List<string> _rejects = [];
    private PieceSummary _found = new(0, 0, 0, 0, 0, 0, []);
    private long _number;

    public TextWriters(string folder, Digest id, BuildManifest manifest)
    {
        (_folder, _id, _manifest) = (folder, id, manifest);
        _kept = new Series(Path.Combine(folder, "text"), "kept");
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
            bytes = document.Bytes,
            dropped,
            why,
            match = match?.Match,
            similarity = match?.Similarity,
            signals = SignalsOf(document),
        });
        if (dropped is null)
            _kept.Write(new { text, source = facts.Source, language = facts.Language, id = number });
        else
            _dropped.Write(new { text, source = facts.Source, id = number, dropped, why });
        _read.Add(facts.Source, document.Bytes);
        (dropped is null ? _stayed : _went).Add(dropped ?? facts.Source, document.Bytes);
    }

    /// <summary>Counts what reading a piece found besides documents.</summary>
    public void Append(PieceSummary summary)
    {
        _found = new PieceSummary(
            _found.Documents + summary.Documents, _found.BytesRead + summary.BytesRead, _found.Empty + summary.Empty,
            _found.InvalidUtf8Sequences + summary.InvalidUtf8Sequences, _found.Malformed + summary.Malformed,
            _found.LostBytes + summary.LostBytes, []);
        _rejects.AddRange(summary.Rejects);
    }

    /// <summary>Writes the report, last.</summary>
    /// <exception cref="ElasticException">Nothing is left.</exception>
    public void Complete()
    {
        string[] sources = [.. _manifest.Sources.Select(s => s.Name)];
        string[] stages = [.. Enumerable.Range(0, _manifest.Stages.Count + 1).Select(NameOf).Distinct()];
        var report = new BuildReport(
            _id.Hex, _read.Of(sources), _stayed.Of(sources), _went.Of(stages), _found.Empty, _found.InvalidUtf8Sequences,
            _found.Malformed, _found.LostBytes);
        if (report.Kept.Sum(s => s.Documents) == 0)
            throw new ElasticException($"nothing is left of {_number} documents: "
                + string.Join(", ", report.Dropped.Where(d => d.Documents > 0).Select(d => $"{d.Name} dropped {d.Documents}"))
                + "; move its thresholds, or check what the sources hold");
        _kept.Complete();
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
        _kept.Dispose();
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
