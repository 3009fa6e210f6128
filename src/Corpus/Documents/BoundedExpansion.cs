namespace Elastic.Corpus;

/// <summary>Unpacks a file up to what <see cref="ReadLimits"/> allows.</summary>
internal sealed class BoundedExpansion(SourceFile file, Stream unpacked) : ReadOnlyStream
{
    private readonly long _most = Math.Max(ReadLimits.ExpansionFrom, ReadLimits.Expansion * file.Length);
    private long _count;

    public override int Read(Span<byte> buffer)
    {
        var read = unpacked.Read(buffer);
        if ((_count += read) > _most)
            throw ReadLimits.Exceeded(file, $"becomes more than {_most} bytes when it is unpacked, {_most / file.Length} times its size");
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            unpacked.Dispose();
        base.Dispose(disposing);
    }
}
