using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class VectorStoreTests : TemporaryFolder
{
    private static readonly FlatLayout Small = Architectures.LayoutOf(TinySettings.Of("a").Model);
    private static readonly FlatLayout TwoChunks = Architectures.LayoutOf(
        TinySettings.Of("a").Model with { Width = 512, Heads = 8, Layers = 2 });
    private static readonly FlatLayout Adapted = Architectures.LayoutOf(TinySettings.Of("a").Model with
    {
        Lora = TinySettings.Of("a").Model.Lora with { Rank = 2 },
    });
    private static readonly string[] Names = [VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment];
    private readonly BlobStore _blobs;

    public VectorStoreTests() => _blobs = new BlobStore(Folder);

    [Fact]
    public void A_vector_of_another_model_is_refused()
    {
        using var small = Filled(Small);
        using var large = new ReplicaVectors(TwoChunks);
        var manifest = _blobs.PutVector(small, VectorSet.Parameters);
        var refusal = Assert.Throws<ElasticException>(() => _blobs.ReadVector(manifest, large, VectorSet.Parameters));
        Assert.Equal(
            $"the stored vector \"parameters\" has {Small.Length} elements where this model has {TwoChunks.Length}: it is of another model",
            refusal.Message);
    }

    // Of a stage: from the first chunk and from the second, and nothing else.
    [Fact]
    public void Ranges_of_frozen_parameters_are_read_from_the_chunks_that_hold_them()
    {
        var model = TinySettings.Of("a").Model with { Width = 512, Heads = 8, Layers = 2 };
        var layout = Architectures.LayoutOf(model with { Lora = model.Lora with { Rank = 2 } });
        using var all = new ReplicaVectors(layout);
        Initialization.Fill(all, 7);
        var set = PutFrozen(all)!.Value;
        Assert.Equal(2, _blobs.ReadSet(set)[VectorSet.FrozenParameters].Chunks.Count);
        (long First, long Count)[] ranges =
        [
            (layout.TrainedLength + 5, 100), (layout.TrainedLength + VectorManifest.ChunkElements - 3, 1000),
        ];
        using var some = new ReplicaVectors(layout);
        _blobs.ReadFrozenRanges(set, some, ranges);
        var expected = new float[layout.Length];
        foreach (var (first, count) in ranges)
            all.Floats(VectorSet.Parameters, first, (int)count).CopyTo(expected.AsSpan((int)first));
        Assert.Equal(expected, some.Floats(VectorSet.Parameters, 0, (int)layout.Length).ToArray());
        Assert.Equal([0, 1], VectorStore.ChunksOf(ranges, layout.TrainedLength));
    }

    [Fact]
    public void A_vector_of_another_type_is_refused()
    {
        using var vectors = Filled(Small);
        var manifest = _blobs.PutVector(vectors, VectorSet.Parameters);
        Assert.Equal(ElementType.Float32, manifest.Type);
        var refusal = Assert.Throws<ElasticException>(
            () => _blobs.ReadVector(manifest with { Type = ElementType.BFloat16 }, vectors, VectorSet.Parameters));
        Assert.Equal("the stored vector \"parameters\" is bf16, and this version of Elastic reads fp32", refusal.Message);
    }

    [Fact]
    public void A_damaged_chunk_is_not_read_as_a_vector()
    {
        using var vectors = Filled(TwoChunks);
        var manifest = _blobs.PutVector(vectors, VectorSet.Parameters);
        BlobStoreTests.Flip(_blobs.PathOf(manifest.Chunks[1]), 1_000_003);
        Assert.Throws<BlobLostException>(() => _blobs.ReadVector(manifest, vectors, VectorSet.Parameters));
    }

    [Fact]
    public void A_set_is_not_whole_when_it_or_one_of_its_chunks_is_missing_or_flipped()
    {
        using var vectors = Filled(TwoChunks);
        var set = Put(vectors, out var manifest);
        Assert.True(_blobs.IsWhole(set));
        foreach (var blob in manifest.Chunks.Append(set))
        {
            var path = _blobs.PathOf(blob);
            BlobStoreTests.Flip(path, new FileInfo(path).Length - 1);
            Assert.False(_blobs.IsWhole(set));
            BlobStoreTests.Flip(path, new FileInfo(path).Length - 1);
            File.Move(path, path + ".away");
            Assert.False(_blobs.IsWhole(set));
            File.Move(path + ".away", path);
        }

        Assert.True(_blobs.IsWhole(set));
    }

    [Fact]
    public void What_is_no_set_is_an_error()
    {
        var blob = _blobs.Put("something else"u8);
        Assert.Throws<InvalidDataException>(() => _blobs.ReadSet(blob));
    }

    [Fact]
    public void Every_vector_comes_back_bit_for_bit()
    {
        foreach (var layout in new[] { Small, TwoChunks })
        {
            using var vectors = Filled(layout);
            using var back = new ReplicaVectors(layout);
            foreach (var name in Names)
            {
                var manifest = _blobs.PutVector(vectors, name);
                Assert.Equal((layout.Length, layout.Chunks), (manifest.Elements, manifest.Chunks.Count));
                _blobs.ReadVector(manifest, back, name);
                for (var chunk = 0; chunk < layout.Chunks; chunk++)
                {
                    var (first, count) = layout.Chunk(chunk);
                    Assert.True(vectors.Bytes(name, first, count).SequenceEqual(back.Bytes(name, first, count)));
                    Assert.Equal(Digest.Of(vectors.Bytes(name, first, count)), manifest.Chunks[chunk]);
                }
            }
        }

        Assert.Equal(2, TwoChunks.Chunks);
    }

    [Fact]
    public void A_loss_scale_is_a_vector_of_its_own_length_and_one_of_another_length_is_refused()
    {
        using var vectors = Filled(Small);
        using var back = new ReplicaVectors(Small);
        vectors.CopyFrom(VectorSet.LossScale, 0, [1, 2, 3, 4]);
        var stored = _blobs.PutVectors(vectors, [VectorSet.FirstMoment, VectorSet.LossScale]);
        Assert.Equal((4, 1), (stored[VectorSet.LossScale].Elements, stored[VectorSet.LossScale].Chunks.Count));
        _blobs.ReadVector(stored[VectorSet.LossScale], back, VectorSet.LossScale);
        Assert.Equal([1, 2, 3, 4], back.Floats(VectorSet.LossScale, 0, 4).ToArray());

        var whole = _blobs.PutSet(new VectorSet(stored));
        Assert.Equal(2, _blobs.ReadSet(whole, Small.Length, 0).Vectors.Count);
        var wrong = _blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest>
        {
            [VectorSet.LossScale] = stored[VectorSet.FirstMoment],
        }));
        Assert.Contains(
            $"the vector \"loss-scale\" of the set {wrong.Short} has {Small.Length} elements where this model has 4",
            Assert.Throws<InvalidDataException>(() => _blobs.ReadSet(wrong, Small.Length, 0)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "the stored vector \"loss-scale\" has",
            Assert.Throws<ElasticException>(() => _blobs.ReadVector(stored[VectorSet.FirstMoment], back, VectorSet.LossScale)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_retained_keeps_its_chunks_and_the_rest_goes()
    {
        using var vectors = Filled(Small);
        var kept = Put(vectors, out var manifest);
        vectors.Floats(VectorSet.Parameters, 0, 1)[0] = 42;
        var old = Put(vectors, out var other);

        var freed = _blobs.Retain([kept, Digest.Of("a set that another node has"u8)], 1);
        Assert.Equal(
            Small.Length * 4 + new VectorSet(new Dictionary<string, VectorManifest> { ["parameters"] = other }).ToBytes().Length,
            freed.FreedBytes);
        Assert.Empty(freed.Problems);
        Assert.True(_blobs.IsWhole(kept));
        Assert.False(_blobs.Has(old) || _blobs.Has(other.Chunks[0]));
        Assert.NotEqual(manifest.Chunks[0], other.Chunks[0]);
    }

    [Fact]
    public void A_damaged_set_does_not_end_the_retention_of_the_others()
    {
        using var vectors = Filled(Small);
        var kept = Put(vectors, out _);
        vectors.Floats(VectorSet.Parameters, 0, 1)[0] = 41;
        var damaged = Put(vectors, out _);
        File.AppendAllText(_blobs.PathOf(damaged), "x");
        vectors.Floats(VectorSet.Parameters, 0, 1)[0] = 42;
        var old = Put(vectors, out _);

        var freed = _blobs.Retain([damaged, kept], 1);
        Assert.Contains($"the vector set {damaged.Short} is not kept", Assert.Single(freed.Problems), StringComparison.Ordinal);
        Assert.True(_blobs.IsWhole(kept));
        Assert.False(_blobs.Has(old) || _blobs.Has(damaged));
    }

    [Fact]
    public void A_set_that_cannot_be_read_for_a_moment_stays_with_its_chunks_and_counts_as_damaged_after_several_retentions()
    {
        using var vectors = Filled(Small);
        var held = Put(vectors, out var manifest);
        vectors.Floats(VectorSet.Parameters, 0, 1)[0] = 42;
        var old = Put(vectors, out _);
        using (Held())
        {
            var none = _blobs.Retain([held], 1);
            Assert.Equal(0, none.FreedBytes);
            Assert.StartsWith($"nothing is deleted this time, since the vector set {held.Short} cannot be read: ",
                Assert.Single(none.Problems), StringComparison.Ordinal);
            Assert.True(_blobs.Has(held) && _blobs.Has(manifest.Chunks[0]) && _blobs.Has(old));
        }

        Assert.Empty(_blobs.Retain([held], 1).Problems);
        Assert.True(_blobs.IsWhole(held));
        Assert.False(_blobs.Has(old));

        // From the beginning: what was read in between is not in a row.
        using (Held())
        {
            for (var retention = 1; retention <= 5; retention++)
                Assert.StartsWith("nothing is deleted", Assert.Single(_blobs.Retain([held], 1).Problems), StringComparison.Ordinal);
            Assert.Contains(_blobs.Retain([held], 1).Problems,
                p => p.StartsWith($"the vector set {held.Short} is not kept", StringComparison.Ordinal));
        }

        Assert.False(_blobs.Has(manifest.Chunks[0]));

        FileStream Held() => new(_blobs.PathOf(held), FileMode.Open, FileAccess.Read, FileShare.None);
    }

    [Fact]
    public void A_blob_is_flushed_while_somebody_reads_it()
    {
        var blob = _blobs.Put("read"u8);
        using var reader = DurableFile.OpenShared(_blobs.PathOf(blob));
        _blobs.Flush([blob]);
        Assert.True(_blobs.IsIntact(blob));
        File.Delete(_blobs.PathOf(blob));
        Assert.Equal(4, RandomAccess.Read(reader, new byte[8], 0));
    }

    [Fact]
    public void Sets_are_flushed_with_all_their_chunks_and_a_lost_chunk_is_found_then()
    {
        using var vectors = Filled(Small);
        var set = Put(vectors, out var manifest);
        _blobs.FlushSets([set, set]);
        Assert.True(_blobs.IsWhole(set));
        File.Delete(_blobs.PathOf(manifest.Chunks[0]));
        Assert.ThrowsAny<IOException>(() => _blobs.FlushSets([set]));
    }

    [Fact]
    public void Frozen_parameters_are_a_set_that_stays_as_long_as_a_version_names_it()
    {
        using var vectors = Filled(Adapted);
        var frozen = PutFrozen(vectors)!.Value;
        var version = PutVersion(vectors, frozen);
        var next = 1f;
        vectors.CopyFrom(VectorSet.Parameters, 5, new ReadOnlySpan<float>(ref next));
        var later = PutVersion(vectors, frozen);
        Assert.Equal(_blobs.ReadSet(later).Fingerprint, vectors.FingerprintOf());
        Assert.NotEqual(_blobs.ReadSet(version).Fingerprint, vectors.FingerprintOf());

        using var back = new ReplicaVectors(Adapted);
        _blobs.ReadVector(_blobs.ReadSet(later)[VectorSet.Parameters], back, VectorSet.Parameters);
        _blobs.ReadFrozen(frozen, back);
        Assert.True(vectors.Bytes(VectorSet.Parameters, 0, (int)Adapted.Length).SequenceEqual(
            back.Bytes(VectorSet.Parameters, 0, (int)Adapted.Length)));

        // The older version goes; what both share stays, and is flushed with the other.
        _blobs.Begin(1);
        _blobs.Retain([later], 1);
        Assert.True(_blobs.IsWhole(later) && _blobs.IsThere(later) && !_blobs.IsThere(version));
        _blobs.FlushSets([later]);
        foreach (var blob in _blobs.ReadSet(frozen).Chunks().Append(frozen))
        {
            File.Move(_blobs.PathOf(blob), _blobs.PathOf(blob) + ".away");
            Assert.False(_blobs.IsWhole(later));
            Assert.False(_blobs.IsThere(later));
            File.Move(_blobs.PathOf(blob) + ".away", _blobs.PathOf(blob));
        }
        Assert.Contains("has frozen parameters, and this model has none", Assert.Throws<InvalidDataException>(
            () => _blobs.ReadSet(later, Adapted.TrainedLength, 0)).Message, StringComparison.Ordinal);
        Assert.Null(PutFrozen(Filled(Small)));
    }

    private Digest? PutFrozen(ReplicaVectors vectors) => _blobs.PutFrozen(
        vectors.Layout, (first, into) => vectors.CopyTo(VectorSet.Parameters, first, into.Span));

    private Digest PutVersion(ReplicaVectors vectors, Digest frozen) => _blobs.PutSet(new VectorSet(
        new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = _blobs.PutVector(vectors, VectorSet.Parameters) }, frozen));

    // Of a stage: the end of one chunk and the beginning of the next, and some elements before.
    [Fact]
    public void Some_elements_are_read_from_the_chunks_that_hold_them_and_nothing_else_is_written()
    {
        using var vectors = Filled(TwoChunks);
        using var some = new ReplicaVectors(TwoChunks);
        var (manifest, edge) = (_blobs.PutVector(vectors, VectorSet.FirstMoment), (long)VectorManifest.ChunkElements);
        var ranges = new[] { (16L, 100L), (edge - 1000, 3000L) };
        Assert.Equal([0], VectorStore.ChunksOf([(0, edge)]));
        Assert.Equal([0, 1], VectorStore.ChunksOf(ranges));
        Assert.Equal([1], VectorStore.ChunksOf([(edge, 1), (edge + 5, 0)]));

        _blobs.ReadRanges(manifest, some, VectorSet.FirstMoment, ranges);
        foreach (var (first, count) in ranges)
        {
            var read = some.Floats(VectorSet.FirstMoment, first, (int)count);
            Assert.Equal(vectors.Floats(VectorSet.FirstMoment, first, (int)count), read);
            read.Clear();
        }
        Assert.False(some.Floats(VectorSet.FirstMoment, 0, (int)TwoChunks.TrainedLength).ContainsAnyExcept(0f));

        // The second chunk alone is missed.
        File.Delete(_blobs.PathOf(manifest.Chunks[1]));
        _blobs.ReadRanges(manifest, some, VectorSet.FirstMoment, ranges[..1]);
        Assert.Throws<BlobLostException>(() => _blobs.ReadRanges(manifest, some, VectorSet.FirstMoment, ranges));
    }

    [Fact]
    public void A_vector_that_is_made_chunk_by_chunk_has_the_digests_of_one_that_was_there()
    {
        using var vectors = Filled(TwoChunks);
        var made = _blobs.PutMade(0, TwoChunks.TrainedLength, (first, elements) => vectors.CopyTo(
            VectorSet.Parameters, first, elements.Span));
        var stored = _blobs.PutVector(vectors, VectorSet.Parameters);
        Assert.Equal((stored.Elements, stored.Fingerprint), (made.Elements, made.Fingerprint));
    }

    private Digest Put(ReplicaVectors vectors, out VectorManifest parameters)
    {
        parameters = _blobs.PutVector(vectors, VectorSet.Parameters);
        return _blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters }));
    }

    private static ReplicaVectors Filled(FlatLayout layout)
    {
        var vectors = new ReplicaVectors(layout);
        foreach (var (index, name) in Names.Index())
        {
            for (var chunk = 0; chunk < layout.Chunks; chunk++)
            {
                var (first, count) = layout.Chunk(chunk);
                var floats = vectors.Floats(name, first, count);
                for (var i = 0; i < floats.Length; i++)
                    floats[i] = index * 0.5f + chunk + i / 8192f;
            }
        }

        vectors.Floats(VectorSet.Parameters, 1, 3)[0] = float.NaN;      // bits, not numbers
        vectors.Floats(VectorSet.Parameters, 2, 1)[0] = -0f;
        return vectors;
    }
}
