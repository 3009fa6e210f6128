using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Transfer.Tests;

/// <summary>What the tests of the data plane share: bytes, peers that serve them, short times.</summary>
internal static class TransferSamples
{
    /// <summary>Times that a test can wait for. What must not happen in a test has its long default.</summary>
    public static readonly TransferLimits Quick = new()
    {
        Patience = TimeSpan.FromMilliseconds(300),
        PutAway = new TransferLimits().PutAway with { First = TimeSpan.FromMilliseconds(50) },
    };

    /// <summary>Anything that a test awaits.</summary>
    public static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    public static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static Peers PeersOf(TransferLimits limits, params Endpoint[] endpoints)
    {
        var peers = new Peers(limits);
        peers.Set(endpoints);
        return peers;
    }

    /// <summary>A data server with a store of its own, below <paramref name="folder"/>.</summary>
    public static async Task<(DataServer Server, BlobStore Store)> ServeAsync(string folder, params byte[][] blobs)
    {
        var store = new BlobStore(Path.Combine(folder, Guid.NewGuid().ToString("N")));
        foreach (var blob in blobs)
            store.Put(blob);
        var places = new BlobLocations();
        places.Add(store);
        return (await DataServer.StartAsync("127.0.0.1", 0, places, new LivenessConnections(), Transport.Plain, Deadline), store);
    }

    public static async Task EventuallyAsync(Func<bool> condition, string what)
    {
        var deadline = Deadline;
        while (!condition())
        {
            Assert.False(deadline.IsCancellationRequested, $"within 30 s: {what}");
            await Task.Delay(5, CancellationToken.None);
        }
    }
}
