using System.Text;
using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// Names an object of an S3-compatible store, or all below a prefix:
/// <c>s3://bucket/key?endpoint=https://host:9000&amp;region=eu-west-1</c>. What stands behind '?' is for this address; what it does not say
/// comes from where the tools of AWS look (environment, profile).
/// </summary>
/// <param name="Bucket">Its name.</param>
/// <param name="Key">An object's key, a prefix, or a pattern with '*'; taken letter by letter, up to '?' or '#'. May be empty.</param>
public sealed partial record S3Address(string Bucket, string Key)
{
    private const string Scheme = "s3://", DigestMark = "sha256=";
    private const int LongestKey = 1024;

    /// <summary>The store; null for AWS, or the one that the environment or the profile names.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Null for that of the environment or the profile.</summary>
    public string? Region { get; init; }

    /// <summary>The bucket's name is a part of the path, and not of the host's name; null: at any endpoint but AWS's.</summary>
    public bool? PathStyle { get; init; }

    /// <summary>The version of the object; null for the newest.</summary>
    public string? Version { get; init; }

    /// <summary>The SHA-256 that the object must have; null for any.</summary>
    public Digest? Digest { get; init; }

    /// <summary>Whether a text is meant as such an address.</summary>
    public static bool Is(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Reads an address.</summary>
    /// <param name="problem">What is wrong with it and what to write instead; empty where nothing is.</param>
    /// <returns>Null where something is wrong.</returns>
    public static S3Address? Parse(string text, out string problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        problem = "";
        var (rest, mark) = Cut(text[Scheme.Length..], '#');
        var (place, options) = Cut(rest, '?');
        var (bucket, key) = Cut(place, '/');
        var address = new S3Address(bucket, key ?? "");
        if (!BucketName().IsMatch(bucket))
            problem = "names no bucket: write s3://BUCKET/PREFIX";
        else if (Encoding.UTF8.GetByteCount(address.Key) > LongestKey || address.Key.Any(char.IsControl))
            problem = $"has a key with control characters, or of more than {LongestKey} bytes: no object has such a name";
        else if (mark is not null && !(mark.StartsWith(DigestMark, StringComparison.Ordinal)
            && Foundation.Digest.IsDigest(mark[DigestMark.Length..].ToLowerInvariant())))
            problem = "does not end with #sha256= and 64 hexadecimal digits: mend its end, or leave it out";
        else
            address = address with { Digest = mark is null ? null : new Digest(mark[DigestMark.Length..].ToLowerInvariant()) };
        foreach (var option in (options ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            if (problem.Length == 0)
                address = address.With(option, ref problem);
        }
        if (problem.Length == 0)
            return address;
        problem = $"{OneLine.Of(text, 200)} {problem}";
        return null;
    }

    /// <summary>Reads the address of all that is below a prefix.</summary>
    /// <param name="ofWhat">What is below it, for the message: "a backup".</param>
    /// <exception cref="ElasticException">It is no such address.</exception>
    public static S3Address PrefixOf(string text, string ofWhat)
    {
        var address = Parse(text, out var problem) ?? throw new ElasticException(problem);
        return address.Version is null && address.Digest is null && !address.Key.Contains('*', StringComparison.Ordinal)
            ? address
            : throw new ElasticException($"{address} has a version, a digest or a '*': name the prefix of {ofWhat}, s3://BUCKET/PREFIX");
    }

    /// <summary>What the keys of all objects below this prefix begin with: "books" is no part of "bookshelf/a.txt".</summary>
    public string Folder => Key.Length == 0 || Key.EndsWith('/') ? Key : Key + "/";

    /// <summary>The address of another key in the same bucket, for messages.</summary>
    public string Named(string key) => $"{Scheme}{Bucket}/{OneLine.Of(key, 200)}";

    /// <summary>Bucket and key, for messages.</summary>
    public override string ToString() => Named(Key);

    private S3Address With(string option, ref string problem)
    {
        var (name, value) = Cut(option, '=');
        value = Uri.UnescapeDataString(value ?? "");
        switch (name)
        {
            case "endpoint" when Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Query == "":
                if (url.UserInfo.Length == 0)
                    return this with { Endpoint = url };
                problem = "has a user's name in its endpoint, which would be shown in logs: put credentials into the environment";
                return this;
            case "region" when RegionName().IsMatch(value):
                return this with { Region = value };
            case "path-style" when value is "true" or "false":
                return this with { PathStyle = value == "true" };
            case "version" when value.Length is > 0 and <= LongestKey:
                return this with { Version = value };
            default:
                problem = $"has {OneLine.Of(option, 100)} behind its '?': known are endpoint=URL of http or https, region=NAME, "
                    + "path-style=true or false, and version=ID of an object";
                return this;
        }
    }

    private static (string Before, string? Behind) Cut(string text, char at) =>
        text.IndexOf(at, StringComparison.Ordinal) is var place and >= 0 ? (text[..place], text[(place + 1)..]) : (text, null);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex BucketName();

    [GeneratedRegex(@"\A[a-z0-9-]{1,40}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex RegionName();
}
