using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A file of a source on the web: <c>https://example.org/a.jsonl.zst#sha256=…</c>; the digest may be left out.</summary>
/// <param name="Address">Without the digest.</param>
/// <param name="Digest">What the file must have; null where anything is taken, and recorded.</param>
public sealed record SourceUrl(Uri Address, Digest? Digest)
{
    private const string DigestKey = "#sha256=";

    /// <summary>The file's name: the last part of the path.</summary>
    public string FileName => Uri.UnescapeDataString(Address.AbsolutePath[(Address.AbsolutePath.LastIndexOf('/') + 1)..]);

    /// <summary>Whether a path of a source is meant as a URL.</summary>
    public static bool Is(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return path.Contains("://", StringComparison.Ordinal);
    }

    /// <summary>Reads a URL.</summary>
    /// <param name="text">As the manifest has it.</param>
    /// <param name="problem">What is wrong with it; empty where nothing is.</param>
    /// <returns>Null where something is wrong.</returns>
    public static SourceUrl? Parse(string text, out string problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        var shown = OneLine.Of(text, 200);
        problem = "";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https")
            || address.Host.Length == 0)
            problem = $"the URL {shown} is not one of http or https: fetch the file yourself and name its path, or use another address";
        else if (address.UserInfo.Length > 0)
            problem = $"the URL of {address.Host} holds a user's name: what it protects would be shown in logs; fetch the file yourself";
        else if (address.Fragment.Length > 0
            && (!address.Fragment.StartsWith(DigestKey, StringComparison.Ordinal) || DigestOf(address) is null))
            problem = $"the URL {shown} does not end with #sha256= and 64 hexadecimal digits: mend its end, or leave it out";
        else if (DocumentFormats.Of(address.AbsolutePath) is null)
            problem = $"the URL {shown} names no file of {DocumentFormats.Endings}: name files that can be read, one URL each";
        else
            return new SourceUrl(new UriBuilder(address) { Fragment = "" }.Uri, DigestOf(address));
        return null;
    }

    private static Digest? DigestOf(Uri address) =>
        address.Fragment is { Length: > 0 } fragment && fragment[Math.Min(fragment.Length, DigestKey.Length)..] is { Length: 64 } hex
        && hex.All(char.IsAsciiHexDigit) ? new Digest(hex.ToLowerInvariant()) : null;
}
