using Elastic.Foundation;

namespace Elastic.Actors.Control;

/// <summary>
/// The room on a node's disk for checkpoints that commands bring there, each into a folder of its own: what one of them has yet to write is
/// not there for the next one. Thread-safe.
/// </summary>
/// <param name="root">Where the node's data is.</param>
/// <param name="free">Bytes that the disk has; a test's.</param>
internal sealed class CheckpointRoom(string root, Func<long>? free = null)
{
    // Of the disk, for what the node writes meanwhile: the journal may lie on it.
    private const long LeftFree = 1L << 30;

    private readonly Lock _gate = new();
    private readonly List<Place> _places = [];

    /// <summary>Takes room until it is disposed of, by when all is written or nothing will be.</summary>
    /// <param name="what">What takes it, several things.</param>
    /// <param name="folder">Where it is written.</param>
    /// <param name="remedy">What to do where there is none.</param>
    /// <exception cref="ElasticException">There is not so much.</exception>
    public IDisposable Take(string what, long bytes, string folder, string remedy)
    {
        lock (_gate)
        {
            var room = (free?.Invoke() ?? DiskSpace.FreeBytes(root)) - LeftFree - _places.Sum(p => p.BytesToCome);
            if (bytes > room)
                throw new ElasticException(
                    $"{what} take {ByteSize.Text(bytes)}, and {root} has {ByteSize.Text(Math.Max(0, room))} for them: {remedy}");
            var place = new Place(this, bytes, folder);
            _places.Add(place);
            return place;
        }
    }

    private sealed class Place(CheckpointRoom room, long bytes, string folder) : IDisposable
    {
        public long BytesToCome => Math.Max(0, bytes - Written());

        public void Dispose()
        {
            lock (room._gate)
                room._places.Remove(this);
        }

        // The disk has it no more.
        private long Written()
        {
            try
            {
                return Directory.Exists(folder)
                    ? new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length) : 0;
            }
            catch (IOException)
            {
                return 0;                                              // a temporary file got its name meanwhile
            }
        }
    }
}
