using System.Net;
using Amazon.Runtime;
using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>What a store has against a request.</summary>
public enum StoreProblem
{
    /// <summary>It does not answer, or answers that it cannot: another time it may.</summary>
    Unavailable,

    /// <summary>It refuses: credentials, the bucket's name, its region.</summary>
    Refused,

    /// <summary>The object is not the one any more that was found.</summary>
    Changed,

    /// <summary>There is no such object.</summary>
    Missing,

    /// <summary>The object is in an archive, and has to be restored before anybody reads it.</summary>
    Archived,
}

/// <summary>A request to a store failed for good.</summary>
public sealed class ObjectStoreException(StoreProblem problem, string message, Exception? inner = null)
    : ElasticException(message, inner!)
{
    /// <summary>Why.</summary>
    public StoreProblem Problem => problem;

    /// <summary>It concerns the one object, whatever the store is like.</summary>
    public bool IsOfObject => problem is StoreProblem.Changed or StoreProblem.Missing or StoreProblem.Archived;

    /// <summary>What an attempt's exception means; null for one that is no failure of a store.</summary>
    /// <param name="waited">How long the store may say nothing.</param>
    internal static (StoreProblem Problem, string Why)? Of(Exception e, TimeSpan waited) => e switch
    {
        ObjectStoreException own => (own.Problem, own.Message),
        AmazonServiceException service => Of(service),
        OperationCanceledException => (StoreProblem.Unavailable, $"the store said nothing for {waited.TotalSeconds:0} seconds"),
        HttpRequestException or IOException => (StoreProblem.Unavailable, OneLine.Of(e.Message)),
        // The SDK has not even sent it: there are no credentials, for example.
        AmazonClientException { InnerException: HttpRequestException or IOException } => (StoreProblem.Unavailable, OneLine.Of(e.Message)),
        // Its first line; the others list all places where there are none.
        AmazonClientException => (StoreProblem.Refused, OneLine.Of(e.Message.Split('\n', '\r')[0], 120).TrimEnd(':', '.')
            + ": credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from the profile (AWS_PROFILE), or from the machine"),
        _ => null,
    };

    private static (StoreProblem, string) Of(AmazonServiceException e)
    {
        var answer = $"the store answered {(int)e.StatusCode}{(e.ErrorCode is { Length: > 0 } code ? $" {OneLine.Of(code, 60)}" : "")}";
        return e.StatusCode switch
        {
            HttpStatusCode.PreconditionFailed => (StoreProblem.Changed, "it is another object now"),
            _ when e.ErrorCode is "NoSuchBucket" => (StoreProblem.Refused, $"{answer}: there is no such bucket"),
            _ when e.ErrorCode is "NoSuchUpload" => (StoreProblem.Refused,
                $"{answer}: it has forgotten the parts that it had; allow unfinished uploads there to live for days, and try again"),
            _ when e.ErrorCode is "EntityTooSmall" or "EntityTooLarge" or "InvalidPart" or "InvalidPartOrder" =>
                (StoreProblem.Refused, $"{answer}: it takes no objects in parts of that size: {OneLine.Of(e.Message)}"),
            HttpStatusCode.NotFound => (StoreProblem.Missing, "there is no such object"),
            HttpStatusCode.Forbidden when e.ErrorCode is "InvalidObjectState" =>
                (StoreProblem.Archived, "it is in an archive: restore it first"),
            HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect =>
                (StoreProblem.Refused, $"{answer}: the bucket is in another region, name it with ?region=NAME"),
            _ when e.ErrorCode is "RequestTimeTooSkewed" or "RequestTimeout" or "SlowDown" => (StoreProblem.Unavailable, answer),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                (StoreProblem.Refused, $"{answer}: these credentials may not do that there"),
            >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError and not (HttpStatusCode.RequestTimeout
                or HttpStatusCode.TooManyRequests or HttpStatusCode.Conflict) =>
                (StoreProblem.Refused, $"{answer}: {OneLine.Of(e.Message)}"),
            // 0 where there was no answer.
            _ => (StoreProblem.Unavailable, e.StatusCode == default ? OneLine.Of(e.Message) : answer),
        };
    }
}
