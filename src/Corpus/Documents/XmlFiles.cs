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
        var guard = new MalformedXml(file, statistics);
        var root = guard.Try(() => xml.MoveToContent() == XmlNodeType.Element ? xml.LocalName : null);
        var documents = root switch
        {
            null => [],
            "doc" => ReferenceDocumentation.Read(file, xml, guard),
            _ => PlainText.Pieces(file, new XmlText(xml, guard)),
        };
        foreach (var document in documents)
            yield return document;
    }

    /// <summary>
    /// The text of an XML file as a stream, in its own lines. Elements that touch (<c>&lt;/a&gt;&lt;b&gt;</c>) are lines too.
    /// </summary>
    private sealed class XmlText(XmlReader xml, MalformedXml guard) : TextReader
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
                if (guard.Try(() => xml.Read() ? xml : null) is null)
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

/// <summary>Keeps what comes before a malformed place of a file, and records the place; the rest of the file is skipped.</summary>
internal sealed class MalformedXml(SourceFile file, ReadStatistics statistics)
{
    /// <summary>The result of reading on, or null where the file ends or is malformed.</summary>
    public T? Try<T>(Func<T?> read) where T : class
    {
        try
        {
            return read();
        }
        catch (XmlException e)
        {
            statistics.CountMalformed(file.Path, e.LineNumber, e.Message);
            return null;
        }
    }
}
