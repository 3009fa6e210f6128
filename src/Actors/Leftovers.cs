using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors;

/// <summary>
/// What processes that died here were writing, and what evaluations, builds by nodes and moments outside of the memory needed that ended
/// with them.
/// </summary>
internal static class Leftovers
{
    /// <summary>Removes it. The folder of the corpora may be others', too: builders that live hold locks.</summary>
    public static void Remove(DataPaths paths)
    {
        try
        {
            DurableFile.RemoveTemporaries(paths.Root);
            foreach (var folder in paths.AllCorpora.Append(paths.FetchedCorpora).Where(Directory.Exists))
                BuildFolder.RemoveDead(folder);
            foreach (var folder in new[] { paths.Evaluations, paths.Builds, paths.Offload }.Where(Directory.Exists))
                Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // They cost room and nothing else; a disk that is read-only is noticed by what must write.
        }
    }
}
