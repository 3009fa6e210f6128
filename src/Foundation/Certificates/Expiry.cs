namespace Elastic.Foundation.Certificates;

/// <summary>What people are told about the end of a certificate. One wording for logs, pbm and commands.</summary>
public static class Expiry
{
    /// <summary>The time before the end from which on people are warned.</summary>
    public static readonly TimeSpan Warning = TimeSpan.FromDays(7);

    /// <summary>The warning; null while the end is more than a week ahead.</summary>
    /// <param name="whose">E.g. "worker gpu7-3k9v2mq7".</param>
    /// <param name="own">The folder of the certificate; null where it is on another machine.</param>
    public static string? WarningOf(string whose, DateTimeOffset expires, DateTimeOffset now, CertificateFiles? own) =>
        now >= expires ? $"the certificate of {whose} expired on {Text(expires)}: nobody takes it any more"
            + $"{(own is { CanIssue: true } ? "" : ", and no seed renews it")}; {Anew(own)}"
        : expires - now > Warning ? null
        : $"the certificate of {whose} expires in {InDays(expires, now)} ({Text(expires)}): "
            + (own is { CanIssue: true } ? Anew(own) : "on its machine, elastic certs renew --seed HOST:PORT, while the process runs"
                + (own is null ? " (without --seed where the authority's key is)" : ""));

    /// <summary>
    /// The warning of the authority's own end, which no certificate outlives: from the time on at which those that it issues become
    /// shorter. Null before.
    /// </summary>
    public static string? AuthoritysWarningOf(DateTimeOffset expires, DateTimeOffset now) =>
        now >= expires ? $"the authority expired on {Text(expires)}: {NewCluster}"
        : expires - now <= CertificateAuthority.Validity
            ? $"the authority expires in {InDays(expires, now)} ({Text(expires)}), and all certificates with it: {NewCluster}"
        : null;

    /// <summary>What to do where nobody can issue anything any more.</summary>
    internal const string NewCluster =
        "elastic certs init --certs DIR makes another one, from which every machine gets its certificate anew";

    /// <summary>How somebody gets a certificate whose own has expired: where the authority's key is, no seed is needed.</summary>
    /// <param name="own">The folder of the certificate; null where it is on another machine.</param>
    internal static string Anew(CertificateFiles? own) => own switch
    {
        { CanIssue: true } => $"elastic certs renew --certs {own.Folder} renews it",
        null => $"{Token}, or elastic certs renew on its machine where the authority's key is",
        _ => Token,
    };

    /// <summary>How somebody gets a certificate whose own was revoked.</summary>
    internal static string AfterRevocation(CertificateFiles own, Identity holder) => own.CanIssue
        ? $"elastic certs node {holder.Name} --role {Identity.Text(holder.Role)} --certs {own.Folder} --out DIR makes another one, to be "
            + $"copied over it with its key; elastic certs renew --certs {own.Folder} then gives it this machine's names"
        : Token;

    private const string Token = "a join token (elastic certs token) gets another one";

    /// <summary>"3 days", "1 day", "5 hours".</summary>
    public static string InDays(DateTimeOffset expires, DateTimeOffset now) => (expires - now) switch
    {
        { TotalDays: >= 1 } left => Plural.Of((int)left.TotalDays, "day"),
        { TotalHours: >= 1 } left => Plural.Of((int)left.TotalHours, "hour"),
        var left => Plural.Of(Math.Max(0, (int)left.TotalMinutes), "minute"),
    };

    internal static string Text(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd HH:mm}Z";
}
