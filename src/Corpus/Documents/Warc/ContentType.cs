using System.Text;
using System.Text.Unicode;

namespace Elastic.Corpus;

/// <summary>What the head of a message says of its body, e.g. "text/html; charset=utf-8".</summary>
internal static class ContentType
{
    private const int Looked = 1024;

    /// <summary>The type alone; "no type" where there is none.</summary>
    public static string NameOf(string type) => type.Split(';')[0].Trim().ToLowerInvariant() is { Length: > 0 } name ? name : "no type";

    /// <summary>The format by the type; by the first bytes where there is none; null for what is no text.</summary>
    public static DocumentFormat? FormatOf(string type, ReadOnlySpan<byte> body) => NameOf(type) switch
    {
        "text/html" or "application/xhtml+xml" => DocumentFormat.Html,
        "text/plain" or "text/markdown" => DocumentFormat.Text,
        "text/xml" or "application/xml" => DocumentFormat.Xml,
        var name when name.EndsWith("+xml", StringComparison.Ordinal) && !name.StartsWith("image/", StringComparison.Ordinal) =>
            DocumentFormat.Xml,
        "no type" when LooksLikeHtml(body) => DocumentFormat.Html,
        _ => null,
    };

    private static bool LooksLikeHtml(ReadOnlySpan<byte> body) =>
        Encoding.Latin1.GetString(body[..Math.Min(Looked, body.Length)]).Contains("<html", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The body in UTF-8 with its mark, where the head names an encoding, or the body looks like UTF-16, or is text: UTF-8, or, of plain
    /// text that is none, windows-1252, as browsers have it; whatever the files of the source are in. Pages and XML stay as they are: they
    /// say by themselves what they are in.
    /// </summary>
    /// <param name="statistics">Takes the count of what is not in the encoding that the head names.</param>
    public static byte[] AsUtf8(string type, byte[] body, SourceFile file, ReadStatistics statistics)
    {
        if (body is [0xEF, 0xBB, 0xBF, ..] or [0xFE, 0xFF, ..] or [0xFF, 0xFE, ..])
            return body;
        var encoding = EncodingOf(type) ?? UnmarkedUtf16.Of(body) ?? (FormatOf(type, body) != DocumentFormat.Text ? null
            : NameOf(type) == "text/plain" && !Utf8.IsValid(body) ? Windows1252 : Encoding.UTF8);
        return encoding is null ? body : [0xEF, 0xBB, 0xBF, .. Utf8Of(encoding, body, file, statistics)];
    }

    private static Encoding Windows1252 => CodePagesEncodingProvider.Instance.GetEncoding(1252)!;

    // Bytes that are wrong in UTF-8 stay so, and are counted where they are read.
    private static byte[] Utf8Of(Encoding encoding, byte[] body, SourceFile file, ReadStatistics statistics) =>
        encoding is UTF8Encoding ? body : Encoding.UTF8.GetBytes(CountingUtf8.Decode(body, file, statistics, encoding));

    private static Encoding? EncodingOf(string type)
    {
        var parameter = type.Split(';').Skip(1).Select(p => p.Trim())
            .FirstOrDefault(p => p.StartsWith("charset=", StringComparison.OrdinalIgnoreCase));
        var name = parameter?["charset=".Length..].Trim('"', '\'', ' ');
        return string.IsNullOrEmpty(name) ? null : TextEncodings.TryFindOfWeb(name);
    }
}
