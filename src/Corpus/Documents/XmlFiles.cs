using System.Text;
using System.Text.RegularExpressions;
using System.Xml;

namespace Elastic.Corpus;

/// <summary>Reads .xml: .NET reference documentation by type, any other XML for the text between its tags.</summary>
internal static partial class XmlFiles
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

    private const int DeclarationBytes = 512;

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var stream = file.OpenRead();
        using var xml = Open(stream, statistics);
        var guard = new MalformedXml(file, statistics);
        var root = guard.Try(() => xml.MoveToContent() == XmlNodeType.Element ? xml.LocalName : null);
        // <doc> is a common name: only the compiler's files begin with these elements.
        var child = root == "doc" ? guard.Try(() => ReadToContent(xml) ? xml.LocalName : null) : null;
        var documents = (root, child) switch
        {
            (null, _) => [],
            ("doc", "assembly" or "members") => ReferenceDocumentation.Read(file, xml, guard),
            _ => PlainText.Pieces(file, new XmlText(xml, guard)),
        };
        foreach (var document in documents)
            yield return document;
    }

    // Elastic decodes UTF-8 itself, because XmlReader would end at the first invalid byte; XmlReader decodes any other declared encoding.
    private static XmlReader Open(FileStream stream, ReadStatistics statistics)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        var start = new byte[DeclarationBytes];
        var length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return DeclaresOtherThanUtf8(Encoding.Latin1.GetString(start, 0, length))
            ? XmlReader.Create(stream, Settings)
            : XmlReader.Create(CountingUtf8.Open(stream, statistics), Settings);
    }

    // XML 1.0, appendix F. StreamReader handles byte order marks. A declaration of UTF-16 in single bytes dates from before the file was
    // converted, and is ignored.
    private static bool DeclaresOtherThanUtf8(string start)
    {
        if (start.StartsWith("<\0?\0", StringComparison.Ordinal) || start.StartsWith("\0<\0?", StringComparison.Ordinal))
            return true;
        var encoding = Declaration().Match(start).Groups["encoding"].Value;
        return encoding.Length > 0 && !encoding.StartsWith("UTF", StringComparison.OrdinalIgnoreCase)
            && !encoding.Contains("UCS", StringComparison.OrdinalIgnoreCase);
    }

    [GeneratedRegex(
        """^<\?xml\s[^>]*?encoding\s*=\s*["'](?<encoding>[A-Za-z][A-Za-z0-9._-]*)""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Declaration();

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
        private bool _isAtStart = true;
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
                if (!_isAtStart && guard.Try(() => xml.Read() ? xml : null) is null)
                    return false;
                _isAtStart = false;
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

/// <summary>Keeps the text before a malformed place of a file, and records the place; the rest of the file is skipped.</summary>
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
            statistics.CountMalformed(file, e.LineNumber, e.Message);
            return null;
        }
    }
}
