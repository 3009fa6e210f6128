using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Remoting;
using Elastic.Testing;
using Google.Protobuf;

namespace Elastic.Actors.Tests.Hosting;

public sealed class StreamAssociationTests
{
    private static readonly Address Here = new("akka.tcp", "elastic", "127.0.0.1", 1);

    [Fact]
    public async Task A_connection_whose_stream_fails_in_any_way_ends_and_leaves_its_place_to_others()
    {
        var association = new StreamAssociation(new Broken(), Here, Here, NoLogger.Instance);
        association.Start();
        Assert.True(association.Write(ByteString.CopyFromUtf8("a message")));
        await association.Closed.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.False(association.Write(ByteString.CopyFromUtf8("another")));
    }

    private sealed class Broken() : PassThroughStream(new MemoryStream())
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new ArithmeticException("a bug");
    }
}
