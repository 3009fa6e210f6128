using System.IO.Pipes;

namespace Elastic.Foundation.Tests;

public sealed class PipedOutputStreamTests
{
    [Fact]
    public void Who_writes_is_told_once_nobody_reads_any_more()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "file descriptors are those of Linux");
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        using var written = new MemoryStream();
        var closed = 0;
        using var end = pipe.ClientSafePipeHandle;
        using var output = new PipedOutputStream(written, (int)end.DangerousGetHandle(), () => closed++);
        output.Write("read"u8);
        Assert.Equal((0, 4), (closed, written.Length));
        pipe.Dispose();
        output.Write("by nobody"u8);
        Assert.Equal(1, closed);
    }
}
