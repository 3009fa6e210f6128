using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads .csv (RFC 4180, as pandas and Hugging Face write it): the column <c>text</c>, counted for the column <c>source</c> where there is
/// one, with the column <c>url</c> or those that <see cref="RecordFields"/> name. The first row names the columns.
/// </summary>
internal static class CsvFiles
{
    private const int NamesShown = 20;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var text = CountingUtf8.Open(file, statistics);
        var rows = new CsvRows(text, file, statistics);
        if (rows.Next() is not { } head)
            yield break;
        var field = head.IndexOf(file.Reading.TextField);
        if (field < 0)
            throw new RejectedFileException(
                $"{file.Shown} has no column \"{file.Reading.TextField}\" (it has {Names(head)}): name the right one with "
                + "corpus.text-field (text-field in a manifest), or name other files");
        var (source, url) = (head.IndexOf("source"), head.IndexOf("url"));
        var fields = file.Reading.Fields;
        if (fields?.Names.FirstOrDefault(name => fields.IsNamed(name) && !head.Contains(name)) is { } missing)
            throw new ElasticException($"{file.Shown} has no column \"{missing}\" (it has {Names(head)}): name the right one with "
                + "url-field, date-field or language-field of its source");
        while (rows.Next() is { } row)
        {
            if (row.Count != head.Count)
                statistics.CountMalformed(
                    file, rows.Line, $"the row has {row.Count} fields, and the head has {head.Count}", row.Sum(f => (long)f.Length));
            else
            {
                var document = new Document(
                    source >= 0 && row[source].Length > 0 ? row[source] : file.Name, $"{file.Name}:{rows.Line}", row[field]);
                yield return fields is not null ? fields.Of(document, Values(fields, head, row))
                    : document with { Url = url >= 0 && row[url].Length > 0 ? row[url] : null };
            }
        }
    }

    // A field of no characters is how a table says that there is nothing.
    private static Dictionary<string, string> Values(RecordFields fields, List<string> head, List<string> row) =>
        fields.Names.Select(name => (Name: name, Column: head.IndexOf(name)))
            .Where(f => f.Column >= 0 && row[f.Column].Length is > 0 and <= RecordFields.LongestValue)
            .ToDictionary(f => f.Name, f => row[f.Column], StringComparer.Ordinal);

    private static string Names(List<string> head) => string.Join(", ", head.Take(NamesShown).Select(n => OneLine.Of(n, 60)));

    /// <summary>
    /// The rows of a table: fields between commas, in quotation marks where they hold commas, marks (doubled) or ends of lines.
    /// </summary>
    private sealed class CsvRows(TextReader text, SourceFile file, ReadStatistics statistics)
    {
        private readonly char[] _buffer = new char[1 << 14];
        private readonly StringBuilder _field = new();
        private int _position, _end;
        private long _nextLine = 1;

        /// <summary>The line on which the last row begins.</summary>
        public long Line { get; private set; }

        /// <summary>The next row; null at the end. Lines without anything are passed over.</summary>
        public List<string>? Next()
        {
            while (Peek() >= 0)
            {
                Line = _nextLine;
                if (TryRead() is { } row && row is not [""])
                    return row;
            }
            return null;
        }

        private List<string>? TryRead()
        {
            var row = new List<string>();
            var (quoted, isEmpty, length) = (false, true, 0L);
            _field.Clear();
            for (int c; (c = Take()) >= 0;)
            {
                if (++length == file.Reading.LongestRecord + 1L && !file.Reading.PassesOverRejects)
                    throw TooLong();
                var isText = quoted ? c != '"' : c is not ('"' or ',' or '\n' or '\r');
                if (!isText && quoted && Peek() == '"')
                {
                    Take();
                    isText = true;
                }
                else if (c == '"' && (quoted || isEmpty))
                    quoted = !quoted;
                else if (c == '"')
                    isText = true;
                if (isText)
                {
                    isEmpty = false;
                    // Of a row that is too long only the end is looked for, which quotation marks tell.
                    if (length <= file.Reading.LongestRecord)
                        _field.Append((char)c);
                }
                else if (c is ',' or '\n' || (c == '\r' && Peek() != '\n'))
                {
                    if (length <= file.Reading.LongestRecord)
                        row.Add(_field.ToString());
                    _field.Clear();
                    isEmpty = true;
                    if (c != ',')
                        return Whole(row, length);
                }
            }
            if (quoted)
            {
                statistics.CountMalformed(file, Line, "a quotation mark is never closed, and the rest of the file is lost", length);
                return null;
            }
            row.Add(_field.ToString());
            return Whole(row, length);
        }

        private List<string>? Whole(List<string> row, long length)
        {
            if (length <= file.Reading.LongestRecord)
                return row;
            statistics.CountMalformed(file, Line, TooLong().Message, length);
            return null;
        }

        private RejectedFileException TooLong() => ReadLimits.Exceeded(
            file, $"has a row at line {Line} of more than {file.Reading.LongestRecord} characters");

        private int Peek() => _position < _end || Fill() ? _buffer[_position] : -1;

        private int Take()
        {
            if (_position == _end && !Fill())
                return -1;
            var c = _buffer[_position++];
            if (c == '\n')
                _nextLine++;
            return c;
        }

        private bool Fill()
        {
            (_position, _end) = (0, text.Read(_buffer, 0, _buffer.Length));
            return _end > 0;
        }
    }
}
