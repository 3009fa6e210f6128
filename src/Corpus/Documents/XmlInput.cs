using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace Elastic.Corpus;

/// <summary>
/// The characters of an XML file as its reader gets them. XHTML takes its named references from a DTD that is never fetched, and XmlReader
/// ends at the first that it does not know: those of HTML become their character (&amp;nbsp;), any other one, and a bare '&amp;', becomes
/// text. Also bounds what one tag may hold.
/// </summary>
internal sealed partial class XmlInput : TextReader
{
    private const int DeclarationBytes = 512;
    private const int LongestName = 40;
    private const string CDataStart = "<![CDATA[", CommentStart = "<!--";

    private readonly SourceFile _file;
    private readonly TextReader _text;
    private readonly char[] _buffer = new char[1 << 15];
    private readonly StringBuilder _name = new();
    private int _position, _end;
    // What is to be given out before the buffer: a replaced reference.
    private string _ready = "";
    private int _readyPosition;
    private Place _place;
    // Characters of CDataStart and CommentStart that the last ones match, and those of the end of such a stretch.
    private int _cdataMatched, _commentMatched, _endMatched;
    private long _sinceMark;

    private XmlInput(SourceFile file, TextReader text) => (_file, _text) = (file, text);

    private enum Place { Content, Reference, CData, Comment }

    /// <summary>References and bare '&amp;' that XmlReader would have ended at.</summary>
    public long Replaced { get; private set; }

    /// <summary>Characters given out so far.</summary>
    public long Delivered { get; private set; }

    /// <summary>Opens a file by its byte order mark or the encoding that it declares; false where nobody knows that encoding.</summary>
    public static bool TryOpen(
        SourceFile file, ReadStatistics statistics, [NotNullWhen(true)] out XmlInput? input, out string encodingName)
    {
        input = null;
        var stream = PackedFile.OpenToDamage(file, statistics);
        var whole = RejoinedStream.Peek(stream, UnmarkedUtf16.Looked);
        encodingName = DeclaredOtherThanUtf8(Encoding.Latin1.GetString(whole.Start[..Math.Min(DeclarationBytes, whole.Start.Length)]))
            ?? UnmarkedUtf16.Of(whole.Start)?.WebName ?? "utf-8";
        if (TextEncodings.TryFind(encodingName) is not { } encoding)
        {
            whole.Dispose();
            return false;
        }
        // Elastic decodes, because XmlReader would end at the first invalid byte.
        input = new XmlInput(file, CountingUtf8.Open(whole, file, statistics, encoding));
        return true;
    }

    /// <summary>Begins the next tag or member: the limit counts from here.</summary>
    public void Mark() => _sinceMark = 0;

    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    public override int Read(Span<char> buffer)
    {
        var written = 0;
        while (written < buffer.Length)
        {
            if (_readyPosition < _ready.Length)
            {
                var count = Math.Min(buffer.Length - written, _ready.Length - _readyPosition);
                _ready.AsSpan(_readyPosition, count).CopyTo(buffer[written..]);
                (written, _readyPosition) = (written + count, _readyPosition + count);
            }
            else if (_position < _end || Fill())
            {
                written += _place == Place.Reference ? TakeReference() : Copy(buffer[written..]);
            }
            else if (_place == Place.Reference)
            {
                EndReference(isClosed: false);
            }
            else
            {
                break;
            }
        }
        Delivered += written;
        if ((_sinceMark += written) > ReadLimits.TokenCharacters)
            throw ReadLimits.Exceeded(_file, $"has a tag or a member of more than {ReadLimits.TokenCharacters >> 20} Mi characters");
        return written;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _text.Dispose();
        base.Dispose(disposing);
    }

    // XML 1.0, appendix F. StreamReader handles byte order marks. A declaration of UTF-16 in single bytes dates from before the file was
    // converted, and is ignored.
    private static string? DeclaredOtherThanUtf8(string start)
    {
        if (start.StartsWith("<\0?\0", StringComparison.Ordinal))
            return "utf-16";
        if (start.StartsWith("\0<\0?", StringComparison.Ordinal))
            return "utf-16BE";
        var encoding = Declaration().Match(start).Groups["encoding"].Value;
        return encoding.Length > 0 && !encoding.StartsWith("UTF", StringComparison.OrdinalIgnoreCase)
            && !encoding.Contains("UCS", StringComparison.OrdinalIgnoreCase) ? encoding : null;
    }

    [GeneratedRegex(
        """^<\?xml\s[^>]*?encoding\s*=\s*["'](?<encoding>[A-Za-z][A-Za-z0-9._-]*)""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Declaration();

    private bool Fill()
    {
        (_position, _end) = (0, _text.ReadBlock(_buffer));
        return _end > 0;
    }

    // Copies up to a reference or the end of either buffer.
    private int Copy(Span<char> target)
    {
        var source = _buffer.AsSpan(_position, Math.Min(_end - _position, target.Length));
        for (var i = 0; i < source.Length; i++)
        {
            if (_place == Place.Content && _cdataMatched == 0 && _commentMatched == 0)
            {
                var plain = source[i..].IndexOfAny('<', '&');
                i = plain < 0 ? source.Length : i + plain;
                if (i == source.Length)
                    break;
            }
            if (_place == Place.Content && source[i] == '&')
            {
                source[..i].CopyTo(target);
                _position += i + 1;
                (_place, _cdataMatched, _commentMatched) = (Place.Reference, 0, 0);
                return i;
            }
            Follow(source[i]);
        }
        source.CopyTo(target);
        _position += source.Length;
        return source.Length;
    }

    // Knows whether the next character is in a CDATA section or a comment, in which '&' means itself.
    private void Follow(char c)
    {
        if (_place == Place.Content)
        {
            _cdataMatched = c == CDataStart[_cdataMatched] ? _cdataMatched + 1 : c == '<' ? 1 : 0;
            _commentMatched = c == CommentStart[_commentMatched] ? _commentMatched + 1 : c == '<' ? 1 : 0;
            if (_cdataMatched == CDataStart.Length)
                (_place, _cdataMatched, _commentMatched, _endMatched) = (Place.CData, 0, 0, 0);
            else if (_commentMatched == CommentStart.Length)
                (_place, _cdataMatched, _commentMatched, _endMatched) = (Place.Comment, 0, 0, 0);
            return;
        }
        if (c == (_place == Place.CData ? ']' : '-'))
            _endMatched = Math.Min(2, _endMatched + 1);
        else if (c == '>' && _endMatched == 2)
            _place = Place.Content;
        else
            _endMatched = 0;
    }

    // Collects the name behind an '&'; gives nothing out itself.
    private int TakeReference()
    {
        while (_position < _end)
        {
            var c = _buffer[_position];
            if (c == ';')
            {
                _position++;
                EndReference(isClosed: true);
                return 0;
            }
            var isOfName = char.IsLetterOrDigit(c) || c is '.' or '-' or '_' or ':' || (c == '#' && _name.Length == 0);
            if (!isOfName || _name.Length == LongestName)
            {
                EndReference(isClosed: false);
                return 0;
            }
            _name.Append(c);
            _position++;
        }
        return 0;
    }

    private void EndReference(bool isClosed)
    {
        var name = _name.ToString();
        _name.Clear();
        _place = Place.Content;
        _readyPosition = 0;
        if (isClosed && (name is "lt" or "gt" or "amp" or "quot" or "apos" || IsCharacter(name)))
        {
            _ready = $"&{name};";
            return;
        }
        Replaced++;
        var reference = $"&{name};";
        var decoded = isClosed && name.Length > 0 && name[0] != '#' ? WebUtility.HtmlDecode(reference) : reference;
        _ready = !isClosed ? $"&amp;{name}" : decoded != reference && decoded is not ("<" or "&") ? decoded : $"&amp;{name};";
    }

    // "#160" or "#xA0": XML has no other references to characters.
    private static bool IsCharacter(string name)
    {
        var isHex = name.StartsWith("#x", StringComparison.Ordinal);
        return name.StartsWith('#') && uint.TryParse(
            name.AsSpan(isHex ? 2 : 1), isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture,
            out var code) && code is > 0 and <= 0x10FFFF;
    }
}
