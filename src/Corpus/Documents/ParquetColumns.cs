using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Elastic.Corpus.Parquet;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// The columns of a Parquet file that documents are made of: the text, the source, and what <see cref="RecordFields"/> name.
/// </summary>
internal sealed class ParquetColumns
{
    private const int NamesShown = 20, NameShown = 60;

    private readonly SourceFile _file;
    private readonly ParquetField _text;
    private readonly ParquetField? _source;
    private readonly List<(string Name, ParquetField Field)> _others = [];

    /// <exception cref="ElasticException">A column that a setting names is not there.</exception>
    /// <exception cref="RejectedFileException">The text is not there, or a column is compressed in a way that is not read.</exception>
    public ParquetColumns(SourceFile file, ParquetMetadata metadata)
    {
        _file = file;
        var field = file.Reading.TextField;
        _text = Find(metadata, field, numbers: false) ?? throw new RejectedFileException(
            $"{file.Shown} has no column \"{field}\" of strings (it has {Names(metadata.Fields)}): " +
            "name the right one with corpus.text-field, or name other files");
        _source = Find(metadata, "source", numbers: false);
        foreach (var name in file.Reading.Fields?.Names ?? [])
        {
            if (Find(metadata, name, file.Reading.Fields!.Others.Contains(name)) is { } found)
                _others.Add((name, found));
            else if (file.Reading.Fields.IsNamed(name))
                throw new ElasticException($"{file.Shown} has no column \"{name}\" of strings (it has {Names(metadata.Fields)}): name the "
                    + "right one with url-field, date-field or language-field of its source");
        }
        CheckCodecs(metadata);
    }

    /// <summary>The rows of a group.</summary>
    public ParquetRows Open(ParquetPages pages, RowGroup group) => new(
        Values(pages, group, _text), _source is null ? null : Values(pages, group, _source),
        [.. _others.Select(o => (o.Name, o.Field, Values(pages, group, o.Field)))]);

    private static ParquetField? Find(ParquetMetadata metadata, string name, bool numbers) =>
        metadata.Fields.FirstOrDefault(f => f.Name == name && (f.IsText || (numbers && f.IsNumber)));

    private static string Names(IReadOnlyList<ParquetField> fields) =>
        string.Join(", ", fields.Take(NamesShown).Select(f => OneLine.Of(f.Name, NameShown) + (f.IsText ? "" : " (not strings)")))
        + (fields.Count > NamesShown ? $" and {fields.Count - NamesShown} more" : "");

    private void CheckCodecs(ParquetMetadata metadata)
    {
        List<ParquetField> columns = [_text, .. _others.Select(o => o.Field)];
        if (_source is not null)
            columns.Add(_source);
        foreach (var chunk in metadata.Groups.SelectMany(g => columns.Select(c => g.Columns.ElementAtOrDefault(c.Index))))
        {
            if (chunk is not null && ParquetCompression.ProblemOf(chunk.Codec) is { } problem)
                throw new RejectedFileException($"{_file.Shown} cannot be read: {problem}");
        }
    }

    // One value a row.
    private static IEnumerable<ReadOnlyMemory<byte>> Values(ParquetPages pages, RowGroup group, ParquetField field)
    {
        var chunk = group.Columns.ElementAtOrDefault(field.Index) ?? throw new InvalidDataException($"column {field.Name} is missing");
        if (chunk.OtherFile is { } other)
            throw new InvalidDataException($"column {field.Name} is in another file, {OneLine.Of(other, NameShown)}");
        if (chunk.Type != field.Type)
            throw new InvalidDataException($"column {field.Name} holds no {(field.IsText ? "texts" : "such numbers")}");
        if (chunk.Values != group.Rows)
            throw new InvalidDataException($"column {field.Name} has {chunk.Values} values for {group.Rows} rows");
        foreach (var value in pages.Values(chunk, field))
            yield return value;
    }
}

/// <summary>The rows of a group, one after the other.</summary>
internal sealed class ParquetRows(
    IEnumerable<ReadOnlyMemory<byte>> texts, IEnumerable<ReadOnlyMemory<byte>>? sources,
    IReadOnlyList<(string Name, ParquetField Field, IEnumerable<ReadOnlyMemory<byte>> Values)> others) : IDisposable
{
    private readonly IEnumerator<ReadOnlyMemory<byte>> _texts = texts.GetEnumerator();
    private readonly IEnumerator<ReadOnlyMemory<byte>>? _sources = sources?.GetEnumerator();
    private readonly List<(string Name, ParquetField Field, IEnumerator<ReadOnlyMemory<byte>> Values)> _others =
        [.. others.Select(o => (o.Name, o.Field, o.Values.GetEnumerator()))];

    /// <summary>The next row's text, its source ("" for none) and its other values; null where a column has fewer values.</summary>
    /// <exception cref="InvalidDataException">A page is damaged.</exception>
    public (string Text, string Source, IReadOnlyDictionary<string, string> Values)? Next(SourceFile file, ReadStatistics statistics)
    {
        if (!_texts.MoveNext() || _sources?.MoveNext() == false || !_others.TrueForAll(o => o.Values.MoveNext()))
            return null;
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, field, column) in _others)
        {
            // A row without a value has no bytes.
            if (column.Current.Length is > 0 and <= RecordFields.LongestValue)
                values[name] = field.IsText ? Decode(column.Current, file, statistics) : Number(column.Current.Span, field.Type);
        }
        return (Decode(_texts.Current, file, statistics), _sources is null ? "" : Decode(_sources.Current, file, statistics), values);
    }

    public void Dispose()
    {
        _texts.Dispose();
        _sources?.Dispose();
        _others.ForEach(o => o.Values.Dispose());
    }

    private static string Number(ReadOnlySpan<byte> bytes, int type) => type switch
    {
        ParquetMetadata.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes).ToString(CultureInfo.InvariantCulture),
        ParquetMetadata.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes).ToString(CultureInfo.InvariantCulture),
        ParquetMetadata.Float => BinaryPrimitives.ReadSingleLittleEndian(bytes).ToString("R", CultureInfo.InvariantCulture),
        _ => BinaryPrimitives.ReadDoubleLittleEndian(bytes).ToString("R", CultureInfo.InvariantCulture),
    };

    private static string Decode(ReadOnlyMemory<byte> bytes, SourceFile file, ReadStatistics statistics) =>
        Utf8.IsValid(bytes.Span) ? Encoding.UTF8.GetString(bytes.Span) : CountingUtf8.Decode(bytes.Span, file, statistics);
}
