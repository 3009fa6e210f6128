namespace Elastic.Foundation.Certificates;

/// <summary>What people are told about the end of a certificate. One wording for logs, pbm and commands.</summary>
public static class Expiry
{
    /// <summary>The time before the end from which on people are warned.</summary>
    public static readonly TimeSpan Warning = TimeSpan.FromDays(7);

    /// <summary>The warning; null while the end is more than a week ahead.</summary>
    /// <param name="whose">E.g. "worker gpu7-3k9v2mq7".</param>
    public static string? WarningOf(string whose, DateTimeOffset expires, DateTimeOffset now) =>
        now >= expires ? $"the certificate of {whose} expired on {Text(expires)}: nobody takes it any more, and no seed renews it; {Anew}"
        : expires - now <= Warning ? $"the certificate of {whose} expires in {InDays(expires, now)} ({Text(expires)}): on its machine, "
            + "elastic certs renew --seed HOST:PORT, while the process runs"
        : null;

    /// <summary>How somebody gets a certificate whose own counts no more.</summary>
    internal const string Anew = "a join token (elastic certs token) gets another one";

    /// <summary>"3 days", "1 day", "5 hours".</summary>
    public static string InDays(DateTimeOffset expires, DateTimeOffset now) => (expires - now) switch
    {
        { TotalDays: >= 1 } left => Plural.Of((int)left.TotalDays, "day"),
        { TotalHours: >= 1 } left => Plural.Of((int)left.TotalHours, "hour"),
        var left => Plural.Of(Math.Max(0, (int)left.TotalMinutes), "minute"),
    };

    internal static string Text(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd HH:mm}Z";
}
