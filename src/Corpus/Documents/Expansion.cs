using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// How much a file may still become, together with all that is packed inside of it: an archive in an archive, or many members that claim
/// the same bytes, get no more than one file gets.
/// </summary>
/// <param name="root">The file on the disk.</param>
internal sealed class Expansion(SourceFile root)
{
    // What a build has written was text before it was packed, however often it says the same.
    private readonly long _most = root.Reading.IsBuilt ? long.MaxValue : ReadLimits.MostUnpacked(root.Length);
    private readonly long _size = root.Length;
    private long _count;

    /// <summary>What the file on the disk has left; a new one for such a file.</summary>
    public static Expansion Of(SourceFile file) => file.Member?.Expansion ?? new Expansion(file);

    /// <summary>A stream that ends with an error where the file becomes too much.</summary>
    public Stream Bound(SourceFile file, Stream unpacked) => new Bounded(this, file, unpacked);

    private void Add(SourceFile file, int bytes)
    {
        if ((_count += bytes) > _most)
            throw ReadLimits.Exceeded(
                file, $"becomes more than {_most} bytes when it is unpacked, {_most / Math.Max(1, _size)} times its size");
    }

    private sealed class Bounded(Expansion expansion, SourceFile file, Stream unpacked) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer)
        {
            var read = unpacked.Read(buffer);
            expansion.Add(file, read);
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                unpacked.Dispose();
            base.Dispose(disposing);
        }
    }
}
