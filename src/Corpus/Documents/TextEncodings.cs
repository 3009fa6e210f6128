using System.Text;

namespace Elastic.Corpus;

/// <summary>Encodings by the names that files give them.</summary>
internal static class TextEncodings
{
    /// <summary>The encoding; null where nobody knows it, or where .NET knows it and decodes nothing in it (UTF-7).</summary>
    public static Encoding? TryFind(string name)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        try
        {
            return Encoding.GetEncoding(name);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>
    /// The encoding that a page of the web means by a name: some names of standards stand there for the larger code pages of Windows
    /// (WHATWG Encoding Standard, section 4.2). Null where nobody knows it.
    /// </summary>
    public static Encoding? TryFindOfWeb(string name) => TryFind(name) switch
    {
        // us-ascii, iso-8859-1; iso-8859-9; euc-kr. iso-8859-11 is windows-874 in .NET, too.
        { CodePage: 20127 or 28591 } => TryFind("windows-1252"),
        { CodePage: 28599 } => TryFind("windows-1254"),
        { CodePage: 51949 } => TryFind("ks_c_5601-1987"),
        var found => found,
    };
}
