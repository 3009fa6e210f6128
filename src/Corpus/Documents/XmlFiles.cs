using System.Xml;

namespace Elastic.Corpus;

/// <summary>Reads .xml: .NET reference documentation by type, any other for the text between its tags.</summary>
internal static class XmlFiles
{
    // External entities are never fetched; characters that XML 1.0 forbids are let through.
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Ignore,
        XmlResolver = null,
        CheckCharacters = false,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
    };

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var text = CountingUtf8.Open(file, statistics);
        using var xml = XmlReader.Create(text, Settings);
        var root = Guarded(() => xml.MoveToContent() == XmlNodeType.Element ? xml.LocalName : null);
        var documents = root switch
        {
            null => [],
            "doc" => ReferenceDocumentation.Read(file, xml),
            _ => PlainText.Pieces(file, new XmlText(xml)),
        };
        using var each = documents.GetEnumerator();
        while (Guarded(() => each.MoveNext() ? each.Current : null) is { } document)
            yield return document;

        // What comes before a malformed place is kept, the rest of the file is skipped.
        T? Guarded<T>(Func<T?> next) where T : class
        {
            try
            {
                return next();
            }
            catch (XmlException e)
            {
                statistics.CountMalformed(file.Path, e.LineNumber, e.Message);
                return null;
            }
        }
    }

    /// <summary>
    /// The text of an XML file as a stream, in its own lines. Elements that touch (<c>&lt;/a&gt;&lt;b&gt;</c>) are lines too.
    /// </summary>
    private sealed class XmlText(XmlReader xml) : TextReader
    {
        private readonly FlowedText _text = new(newlinesPerLine: 1);
        private bool _isAfterEnd;
        private string _current = "";
        private int _position;

        public override int Peek() => Fill() ? _current[_position] : -1;

        public override int Read() => Fill() ? _current[_position++] : -1;

        public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

        public override int Read(Span<char> buffer)
        {
            if (!Fill())
                return 0;
            var count = Math.Min(buffer.Length, _current.Length - _position);
            _current.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }

        private bool Fill()
        {
            while (_position == _current.Length)
            {
                if (!xml.Read())
                    return false;
                if (xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace)
                    _text.Append(xml.Value);
                else if (xml.NodeType == XmlNodeType.Element && _isAfterEnd)
                    _text.EndLine();
                _isAfterEnd = xml.NodeType == XmlNodeType.EndElement;
                (_current, _position) = (_text.Take(), 0);
            }
            return true;
        }
    }
}
