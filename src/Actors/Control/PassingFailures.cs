using System.Text.Json;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// What keeps the builds of corpora from going on for a while. A reason is told once, however often it is met. Not thread-safe.
/// </summary>
/// <param name="tell">Is told of a reason that is another one than the last.</param>
internal sealed class PassingFailures(Action<string> tell)
{
    private string? _told;

    /// <summary>
    /// Whether the same may work later: the database, the supervisors or the other seed are away or too slow, the disk is full, or another
    /// version has stored what this one cannot read.
    /// </summary>
    public static bool MayPass(Exception e) => e is DatabaseUnavailableException or ElasticException or HttpRequestException
        or OperationCanceledException or IOException or UnauthorizedAccessException or InvalidDataException or JsonException;

    /// <summary>It is tried again.</summary>
    public void Meet(Exception e)
    {
        var reason = e is ElasticException ? e.Message : OneLine.Of($"{e.GetType().Name}: {e.Message}");
        if (reason == _told)
            return;
        _told = reason;
        tell(reason);
    }

    /// <summary>It worked: the next reason is a new one.</summary>
    public void End() => _told = null;
}
