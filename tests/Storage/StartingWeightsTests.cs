using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

/// <summary>The weights that a run starts from, read piece by piece, are those that are there, beside adapters that are drawn.</summary>
public sealed class StartingWeightsTests : TemporaryFolder
{
    private const ulong Seed = 11;

    // Of two chunks: a piece of it may lie in both.
    private static readonly ModelSettings Model = TinySettings.Of("a").Model with { Width = 512, Heads = 8, Layers = 2, Dropout = 0 };

    private static readonly ModelSettings Adapted = Model with { Lora = Model.Lora with { Rank = 3 } };

    private string Place => Path.Combine(Folder, "weights");

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_network_is_read_as_it_is_and_adapters_beside_it_are_drawn(bool isCheckpoint, bool hasAdapters)
    {
        using var network = Numbered(Model);
        var init = isCheckpoint ? WriteCheckpoint(network, Model) : WriteFolder(network);
        var model = StartingPoint.Pin((hasAdapters ? Adapted : Model) with { Init = init });
        Assert.Equal(network.FingerprintOf().Hex, model.InitDigest);

        using var expected = Drawn(model, Seed);
        foreach (var segment in network.Layout.Segments)
            expected.CopyFrom(
                VectorSet.Parameters, expected.Layout[segment.Name].Offset,
                network.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count));
        Check(expected, model);

        var other = model with { InitDigest = Digest.Of("other"u8).Hex };
        Assert.Contains(
            $"the run starts from {other.InitDigest[..12]}",
            Assert.Throws<ElasticException>(() => StartingPoint.Open(other, Seed)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Adapters_that_are_there_are_gone_on_with(bool isCheckpoint)
    {
        using var whole = Numbered(Adapted);
        using var network = Adapters.NetworkOf(whole, Adapted);
        var model = Adapted with { Init = isCheckpoint ? WriteCheckpoint(whole, Adapted) : Path.Combine(Folder, "adapter") };
        if (!isCheckpoint)
        {
            AdapterFolderWriter.Write(model.Init!, whole, Adapted, ElementType.Float32, network.FingerprintOf());
            model = model with { InitBase = WriteFolder(network), Lora = model.Lora with { Targets = ["c_attn"] } };
        }
        model = StartingPoint.Pin(model);
        Assert.Equal(whole.FingerprintOf().Hex, model.InitDigest);
        Check(whole, model);
    }

    [Fact]
    public void A_chunk_of_a_checkpoint_that_is_damaged_is_named_when_it_is_read()
    {
        using var network = Numbered(Model);
        var model = StartingPoint.Pin(Model with { Init = WriteCheckpoint(network, Model) });
        var second = new BlobStore(Path.Combine(Folder, "blobs")).PutVector(network, VectorSet.Parameters).Chunks[1];
        var path = new BlobStore(Path.Combine(Folder, "blobs")).PathOf(second);
        File.WriteAllBytes(path, [.. File.ReadAllBytes(path).Select((b, i) => i == 5 ? (byte)(b ^ 1) : b)]);
        using var weights = StartingPoint.Open(model, Seed);
        weights.Read(0, new float[1000]);
        Assert.Contains(
            second.Short, Assert.ThrowsAny<IOException>(() => weights.Read(network.Layout.Segments[^1].Offset, new float[10])).Message,
            StringComparison.Ordinal);
    }

    // In pieces that end anywhere.
    private static void Check(ReplicaVectors expected, ModelSettings model)
    {
        const int piece = 1_000_003;
        using var weights = StartingPoint.Open(model, Seed);
        Assert.True(weights.Layout.IsSameAs(expected.Layout));
        for (long first = 0; first < expected.Layout.Length; first += piece)
        {
            var read = new float[(int)Math.Min(piece, expected.Layout.Length - first)];
            read.AsSpan().Fill(float.NaN);
            weights.Read(first, read);
            Assert.True(expected.Floats(VectorSet.Parameters, first, read.Length).SequenceEqual(read), $"elements from {first} on");
        }
    }

    private static ReplicaVectors Drawn(ModelSettings model, ulong seed)
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        Initialization.Fill(vectors, seed);
        return vectors;
    }

    // Some numbers, each another one: drawing takes longer.
    private static ReplicaVectors Numbered(ModelSettings model)
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        foreach (var segment in vectors.Layout.Segments)
        {
            var elements = vectors.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count);
            for (var i = 0; i < elements.Length; i++)
                elements[i] = (segment.Offset + i) * 1e-7f;
        }
        return vectors;
    }

    private string WriteFolder(ReplicaVectors network)
    {
        ModelFolderWriter.Write(Place, network, Model, ElementType.Float32, 256, new Dictionary<string, byte[]>());
        return Place;
    }

    private string WriteCheckpoint(ReplicaVectors vectors, ModelSettings model)
    {
        var (blobs, settings) = (new BlobStore(Path.Combine(Folder, "blobs")), TinySettings.Of("a") with { Model = model });
        var set = blobs.PutSet(new VectorSet(
            new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = blobs.PutVector(vectors, VectorSet.Parameters) },
            blobs.PutFrozen(vectors.Layout, (first, into) => vectors.CopyTo(VectorSet.Parameters, first, into.Span))));
        var (some, path) = (Digest.Of("some"u8).Hex, Path.Combine(Folder, "checkpoints", "round-000001.json"));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new CheckpointManifest(
            1, "a", 1, model.Signature, SettingsText.Write(settings), some, "byte", vectors.FingerprintOf().Hex, set.Hex, [some], 1, some,
            CheckpointManifest.BlobFolder).ToBytes());
        return path;
    }
}
