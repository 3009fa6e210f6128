using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>What an audit of a build found.</summary>
/// <param name="Documents">Documents that were read.</param>
/// <param name="Kept">Documents that were kept.</param>
/// <param name="Dropped">Documents that were dropped.</param>
/// <param name="TakenDown">Documents of which only their names are left.</param>
/// <param name="Problems">What does not fit, a sentence each; none where all is proven.</param>
public sealed record BuildAuditReport(long Documents, long Kept, long Dropped, long TakenDown, IReadOnlyList<string> Problems);

/// <summary>
/// Proves of a build that its files are those that it wrote, that each document was decided about exactly once, and that each text is where
/// its decision says.
/// </summary>
public sealed class BuildAudit
{
    private const int MostProblems = 100;

    private readonly BuiltText _text;
    private readonly List<string> _problems = [];
    private readonly Dictionary<string, long> _kept = [], _dropped = [];
    private long _documents, _takenDown;

    private BuildAudit(BuiltText text) => _text = text;

    /// <summary>Audits a build. Reads all of its files, twice.</summary>
    /// <exception cref="ElasticException">A file cannot be read.</exception>
    public static BuildAuditReport Check(BuiltText text, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(text);
        var audit = new BuildAudit(text);
        audit.CheckFiles(cancel);
        // Of files that are not those of the build nothing follows.
        if (audit._problems.Count == 0)
            audit.CheckDecisions(cancel);
        var kept = audit._kept.Values.Sum();
        return new BuildAuditReport(audit._documents, kept, audit._documents - kept, audit._takenDown, audit._problems);
    }

    private void CheckDecisions(CancellationToken cancel)
    {
        using var train = new Cursor(_text.Records(Split.Train), BuiltText.NameOf(Split.Train));
        using var validation = new Cursor(_text.Records(Split.Validation), BuiltText.NameOf(Split.Validation));
        using var test = new Cursor(_text.Records(Split.Test), BuiltText.NameOf(Split.Test));
        using var dropped = new Cursor(_text.DroppedRecords(), BuiltText.Dropped);
        Cursor[] splits = [train, validation, test];                   // by their numbers
        foreach (var row in _text.Rows(cancel))
        {
            cancel.ThrowIfCancellationRequested();
            CheckRow(row);
            if (row.Dropped is null)
                CheckTexts(splits[(int)row.Split], row, row.Pieces ?? 1);
            else
                CheckTexts(dropped, row, row.Bytes > 0 ? 1 : 0);
            _documents++;
        }
        foreach (var cursor in splits.Append(dropped))
        {
            if (cursor.Next is { } left)
                Add($"{cursor.Folder} has document {left.Id}, which no decision puts there");
        }
        CheckCounts();
    }

    private void CheckFiles(CancellationToken cancel)
    {
        if (_text.Report.Files.Count == 0)
            Add($"{BuiltText.FileName} names no files: an earlier version of Elastic wrote it; build the text again");
        foreach (var file in _text.Report.Files)
        {
            cancel.ThrowIfCancellationRequested();
            var path = Path.Combine(_text.Folder, file.Name);
            if (!File.Exists(path))
            {
                Add($"{path} is missing");
                continue;
            }
            using var stream = File.OpenRead(path);
            if (Digest.Of(stream, cancel).Hex != file.Sha256)
                Add($"{path} is not what the build wrote: its SHA-256 is another one");
        }
        var known = _text.Report.Files.Select(f => f.Name).Append(BuiltText.FileName).Append(DefaultMixture.FileName)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(_text.Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Where(path => !known.Contains(Path.GetRelativePath(_text.Folder, path).Replace(Path.DirectorySeparatorChar, '/'))))
            Add($"{path} is no file of the build: a corpus that is made of the folder has more text than was decided about");
    }

    private void CheckRow(BuiltDocument row)
    {
        if (row.Id != _documents)
            Add($"document {row.Id} is decided about where document {_documents} is due");
        var counts = row.Dropped is null ? _kept : _dropped;
        var name = row.Dropped ?? row.Source;
        counts[name] = counts.GetValueOrDefault(name) + 1;
        if (row.Match is { } match && (match < 0 || match == row.Id || match >= _text.Report.Read.Sum(r => r.Documents)))
            Add($"document {row.Id} is like document {match}, which there is not");
        _takenDown += row.Dropped == BuiltDocument.TakenDown ? 1 : 0;
    }

    private void CheckTexts(Cursor cursor, BuiltDocument row, int pieces)
    {
        var found = 0;
        for (; cursor.Next is { } record && record.Id == row.Id; cursor.Take())
        {
            found++;
            if (record.Source != row.Source || record.Dropped != row.Dropped)
                Add($"{cursor.Folder} has document {row.Id} with another source or decision than {BuiltText.Documents}");
            else if (row.Pieces is null && Encoding.UTF8.GetByteCount(record.Text) != row.Bytes)
                Add($"{cursor.Folder} has {Encoding.UTF8.GetByteCount(record.Text)} bytes of document {row.Id}, and it has {row.Bytes}");
        }
        if (found != pieces)
            Add($"{cursor.Folder} has document {row.Id} {found} times, and {pieces} times are due");
    }

    private void CheckCounts()
    {
        var report = _text.Report;
        if (report.Read.Sum(r => r.Documents) is var read && read != _documents)
            Add($"{BuiltText.FileName} counts {read} documents, and there are {_documents}");
        foreach (var (share, counts) in report.Kept.Select(s => (s, _kept)).Concat(report.Dropped.Select(s => (s, _dropped))))
        {
            if (counts.GetValueOrDefault(share.Name) is var counted && counted != share.Documents)
                Add($"{BuiltText.FileName} counts {share.Documents} documents of {share.Name}, and there are {counted}");
        }
    }

    private void Add(string problem)
    {
        if (_problems.Count < MostProblems)
            _problems.Add(problem);
    }

    /// <summary>Records in their order, of which one is looked at.</summary>
    private sealed class Cursor : IDisposable
    {
        private readonly IEnumerator<BuiltRecord> _records;

        public Cursor(IEnumerable<BuiltRecord> records, string folder)
        {
            (_records, Folder) = (records.GetEnumerator(), folder);
            Take();
        }

        public string Folder { get; }

        public BuiltRecord? Next { get; private set; }

        public void Take() => Next = _records.MoveNext() ? _records.Current : null;

        public void Dispose() => _records.Dispose();
    }
}
