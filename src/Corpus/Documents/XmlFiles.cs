using System.Xml;

namespace Elastic.Corpus;

/// <summary>Reads .xml: .NET reference documentation by type, any other XML for the text between its tags.</summary>
internal static class XmlFiles
{
    // Never fetches external entities; allows characters that XML 1.0 forbids.
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
        if (!XmlInput.TryOpen(file, statistics, out var opened, out var encoding))
        {
            statistics.CountMalformed(file, 1, $"declares the encoding {encoding}, which is not known", file.Length);
            yield break;
        }
        using var input = opened;
        using var xml = XmlReader.Create(input, Settings);
        var guard = new MalformedXml(file, input, statistics);
        var kind = KindOf(xml, guard);
        var documents = kind switch
        {
            XmlKind.None => [],
            XmlKind.Reference => ReferenceDocumentation.Read(file, xml, guard),
            _ => PlainText.Pieces(file, new XmlText(xml, guard)),
        };
        foreach (var document in documents)
            yield return document;
    }

    /// <summary>
    /// Whether this version reads more of the file than the first versions did: a reference at which these ended, bytes that are not in the
    /// declared encoding, or a line that is cut in another place.
    /// </summary>
    public static bool ReadsMoreThanBefore(SourceFile file, LineSurvey survey)
    {
        var statistics = new ReadStatistics();
        if (!XmlInput.TryOpen(file, statistics, out var input, out var encoding))
            return false;
        using (input)
        {
            if (encoding != "utf-8" || survey.HasOtherReferences)
                while (input.Read(new char[1 << 15]) > 0)
                    input.Mark();
            if (input.Replaced > 0 || (encoding != "utf-8" && statistics.InvalidUtf8Sequences > 0))
                return true;
        }
        if (!survey.HasLongLines || !XmlInput.TryOpen(file, statistics, out input, out _))
            return false;
        using (input)
        using (var xml = XmlReader.Create(input, Settings))
            return KindOf(xml, new MalformedXml(file, input, statistics)) == XmlKind.Text;
    }

    private enum XmlKind { None, Reference, Text }

    // <doc> is a common name: only the compiler's files begin with these elements.
    private static XmlKind KindOf(XmlReader xml, MalformedXml guard)
    {
        var root = guard.Try(() => xml.MoveToContent() == XmlNodeType.Element ? xml.LocalName : null);
        var child = root == "doc" ? guard.Try(() => ReadToContent(xml) ? xml.LocalName : null) : null;
        return root is null ? XmlKind.None : child is "assembly" or "members" ? XmlKind.Reference : XmlKind.Text;
    }

    // Reads on to the first text or element below the root; false where that is text, or there is none.
    private static bool ReadToContent(XmlReader xml)
    {
        while (xml.Read())
            if (xml.NodeType is not XmlNodeType.Whitespace)
                return xml.NodeType == XmlNodeType.Element;
        return false;
    }

    /// <summary>
    /// The text of an XML file as a stream, with its own line ends. Adjacent elements (<c>&lt;/a&gt;&lt;b&gt;</c>) become lines, too.
    /// </summary>
    /// <param name="xml">Positioned on the first node.</param>
    private sealed class XmlText(XmlReader xml, MalformedXml guard) : TextReader
    {
        private readonly char[] _chunk = new char[1 << 12];
        private bool _isAtStart = true;
        private bool _isInValue;
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
                if (guard.Try(() => Step() ? xml : null) is null)
                    return false;
                (_current, _position) = (_text.Take(), 0);
            }
            return true;
        }

        // Reads on by a node, or by a part of the text of one: a text may be as long as the file.
        private bool Step()
        {
            if (_isInValue)
            {
                var count = xml.ReadValueChunk(_chunk, 0, _chunk.Length);
                _text.Append(_chunk.AsSpan(0, count));
                _isInValue = count > 0;
                return true;
            }
            if (!_isAtStart && !xml.Read())
                return false;
            _isAtStart = false;
            if (xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace)
                _isInValue = true;
            else if (xml.NodeType == XmlNodeType.Element && _isAfterEnd)
                _text.EndLine();
            _isAfterEnd = xml.NodeType == XmlNodeType.EndElement;
            return true;
        }
    }
}

/// <summary>Keeps the text before a malformed place of a file, and records the place; the rest of the file is skipped.</summary>
internal sealed class MalformedXml(SourceFile file, XmlInput input, ReadStatistics statistics)
{
    /// <summary>The result of reading on, or null where the file ends or is malformed.</summary>
    public T? Try<T>(Func<T?> read) where T : class
    {
        try
        {
            input.Mark();
            return read();
        }
        catch (XmlException e)
        {
            statistics.CountMalformed(file, e.LineNumber, e.Message, Math.Max(0, file.Length - input.Delivered));
            return null;
        }
    }

    /// <summary>Refuses a document that no memory should hold: a small file can claim one by repeating long names.</summary>
    public void CheckLength(int characters)
    {
        if (characters > ReadLimits.TokenCharacters)
            throw ReadLimits.Exceeded(file, $"has a page of more than {ReadLimits.TokenCharacters >> 20} Mi characters");
    }
}
