using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>
/// What processes that died in a data directory were writing. The folder of the corpora may be others', too: builders that live hold
/// locks.
/// </summary>
internal static class Leftovers
{
    public static void Remove(DataPaths paths)
    {
        try
        {
            DurableFile.RemoveTemporaries(paths.Root);
            if (Directory.Exists(paths.Offload))
                Directory.Delete(paths.Offload, recursive: true);
            if (Directory.Exists(paths.Corpora))
                BuildFolder.RemoveDead(paths.Corpora);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // They cost room and nothing else; a disk that is read-only is noticed by what must write.
        }
    }
}
