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
}
