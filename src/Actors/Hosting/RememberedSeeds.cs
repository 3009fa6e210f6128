using System.Text;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>
/// The seeds that a worker has seen in its cluster, kept in its data directory: where the seed that it is started with is gone, or has
/// moved, the others let it in.
/// </summary>
/// <remarks>
/// The first line of the file holds the seeds that the person named. A worker that is started with other ones may be meant for another
/// cluster: then the file counts for nothing, and is written anew.
/// </remarks>
internal sealed class RememberedSeeds(string path, IReadOnlyList<Endpoint> asked)
{
    private readonly string _asked = string.Join(' ', asked.Select(seed => seed.ToString()).Order(StringComparer.Ordinal));

    /// <summary>The seeds that were seen; none where the file is missing, is no such file, or is of another cluster.</summary>
    public IReadOnlyList<Endpoint> Read()
    {
        try
        {
            return File.Exists(path) && File.ReadAllLines(path) is [var first, .. var seen] && first == _asked
                ? [.. Endpoint.Among(seen)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];                                                 // the seeds that the person named are asked all the same
        }
    }

    /// <summary>Keeps the seeds for the next start.</summary>
    public void Write(IEnumerable<Endpoint> seen)
    {
        var text = string.Join('\n', [_asked, .. seen.Select(seed => seed.ToString()).Order(StringComparer.Ordinal)]) + "\n";
        try
        {
            DurableFile.Write(path, Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A disk that is full or read-only is noticed by what must write.
        }
    }
}
