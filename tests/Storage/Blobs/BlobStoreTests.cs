using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class BlobStoreTests : TemporaryFolder
{
    private static readonly byte[] Bytes = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 31))];
    private readonly BlobStore _blobs;

    public BlobStoreTests() => _blobs = new BlobStore(Folder);

    [Fact]
    public void A_blob_that_was_never_put_is_missing_and_the_error_says_where()
    {
        var digest = Digest.Of(Bytes);
        var lost = Assert.Throws<BlobLostException>(() => _blobs.Read(digest));
        Assert.Equal(digest, lost.Digest);
        Assert.Equal($"blob {digest.Short}: is missing ({_blobs.PathOf(digest)})", lost.Message);
        Assert.Throws<BlobLostException>(() => _blobs.Read(digest, new byte[10]));
        Assert.False(_blobs.IsIntact(digest));
        Assert.False(_blobs.Has(digest));
    }

    [Fact]
    public void A_truncated_blob_is_an_error_not_an_answer()
    {
        var digest = _blobs.Put(Bytes);
        using (var file = new FileStream(_blobs.PathOf(digest), FileMode.Open))
            file.SetLength(9_999);
        Assert.Equal(
            $"blob {digest.Short}: has 9999 bytes instead of 10000",
            Assert.Throws<BlobLostException>(() => _blobs.Read(digest, new byte[10_000])).Message);
        Assert.Equal(
            $"blob {digest.Short}: its bytes have changed ({_blobs.PathOf(digest)})",
            Assert.Throws<BlobLostException>(() => _blobs.Read(digest)).Message);
        Assert.False(_blobs.IsIntact(digest));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5_000)]
    [InlineData(9_999)]
    public void One_flipped_bit_is_found_wherever_it_is(int at)
    {
        var digest = _blobs.Put(Bytes);
        Flip(_blobs.PathOf(digest), at);
        Assert.Contains(
            "its bytes have changed",
            Assert.Throws<BlobLostException>(() => _blobs.Read(digest, new byte[10_000])).Message, StringComparison.Ordinal);
        Assert.False(_blobs.IsIntact(digest));
    }

    [Fact]
    public void A_blob_of_another_length_than_expected_is_an_error()
    {
        var digest = _blobs.Put(Bytes);
        Assert.Throws<BlobLostException>(() => _blobs.Read(digest, new byte[9_999]));
        Assert.Throws<BlobLostException>(() => _blobs.Read(digest, new byte[10_001]));
    }

    [Fact]
    public void What_is_put_is_read_back_under_its_own_digest()
    {
        foreach (var bytes in new[] { Bytes, [], [7] })
        {
            var digest = _blobs.Put(bytes);
            Assert.Equal(Digest.Of(bytes), digest);
            Assert.Equal(bytes, _blobs.Read(digest));
            Assert.True(_blobs.IsIntact(digest));
        }
    }

    [Fact]
    public void Putting_the_same_bytes_twice_writes_one_file_and_mends_a_truncated_one()
    {
        var digest = _blobs.Put(Bytes);
        File.SetLastWriteTimeUtc(_blobs.PathOf(digest), DateTime.UnixEpoch);
        _blobs.Put(Bytes);
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(_blobs.PathOf(digest)));       // not written again
        File.WriteAllBytes(_blobs.PathOf(digest), Bytes[..10]);
        _blobs.Put(Bytes);
        Assert.Equal(Bytes, _blobs.Read(digest));
        Assert.Single(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void What_a_crash_left_half_written_is_cleaned_up_at_the_start_but_not_by_a_reader()
    {
        var digest = _blobs.Put(Bytes);
        var leftover = _blobs.TemporaryPath(digest);
        File.WriteAllBytes(leftover, Bytes[..10]);
        _ = new BlobStore(Folder, readOnly: true);
        Assert.True(File.Exists(leftover));
        Assert.Equal(Bytes, new BlobStore(Folder).Read(digest));
        Assert.False(File.Exists(leftover));
    }

    [Fact]
    public void A_reader_makes_no_folder()
    {
        var folder = Path.Combine(Folder, "none");
        Assert.False(new BlobStore(folder, readOnly: true).Has(Digest.Of(Bytes)));
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public void A_write_that_fails_leaves_nothing_behind()
    {
        var digest = Digest.Of(Bytes);
        Directory.CreateDirectory(_blobs.PathOf(digest));                // in the way of the file
        Assert.ThrowsAny<Exception>(() => _blobs.Put(Bytes));
        Assert.Empty(Directory.EnumerateFiles(Folder, "*.tmp", SearchOption.AllDirectories));
    }

    [Fact]
    public void Flushed_blobs_and_folders_are_still_whole_and_a_missing_one_is_an_error()
    {
        var digest = _blobs.Put(Bytes);
        _blobs.Flush([digest, digest]);
        Assert.True(_blobs.IsIntact(digest));
        Assert.ThrowsAny<IOException>(() => _blobs.Flush([Digest.Of([1])]));
        Assert.Throws<IOException>(() => DurableFile.FlushFolder(Path.Combine(Folder, "none")));
    }

    [Fact]
    public void A_collection_keeps_what_is_kept_and_what_was_written_for_its_round_or_a_later_one()
    {
        var (kept, old) = (_blobs.Put([1]), _blobs.Put([2, 2]));
        Assert.Equal(0, _blobs.Collect(new HashSet<Digest>(), 0).FreedBytes);   // both are of round 0, which is not committed
        _blobs.Begin(1);
        var fresh = _blobs.Put([3]);
        Assert.Equal(2, _blobs.Collect(new HashSet<Digest> { kept }, 1).FreedBytes);
        Assert.Equal((true, false, true), (_blobs.Has(kept), _blobs.Has(old), _blobs.Has(fresh)));
        Assert.Equal(1, _blobs.Collect(new HashSet<Digest> { kept }, 2).FreedBytes);
        Assert.False(_blobs.Has(fresh));
    }

    [Fact]
    public void What_was_written_for_the_rounds_that_a_run_has_gone_back_behind_is_collected_at_once()
    {
        _blobs.Begin(50);
        var given = _blobs.Put([1]);
        _blobs.Begin(40);                                                // the run has rolled back
        var fresh = _blobs.Put([2]);
        Assert.Equal(1, _blobs.Collect(new HashSet<Digest>(), 40).FreedBytes);
        Assert.Equal((false, true), (_blobs.Has(given), _blobs.Has(fresh)));
        _blobs.Begin(41);
        Assert.Equal(1, _blobs.Collect(new HashSet<Digest>(), 41).FreedBytes);
    }

    [Fact]
    public void Collections_that_come_late_and_all_at_once_spare_what_was_written_meanwhile()
    {
        var version = _blobs.Put([1]);
        _blobs.Begin(1);
        var result = _blobs.Put([2]);                                    // reported, and in no list that is on its way
        _blobs.Collect(new HashSet<Digest> { version }, 1);
        _blobs.Collect(new HashSet<Digest> { version }, 1);
        Assert.True(_blobs.Has(result));
    }

    [Fact]
    public void A_blob_that_is_put_again_belongs_to_the_later_round()
    {
        var digest = _blobs.Put(Bytes);
        _blobs.Begin(1);
        _blobs.Put(Bytes);
        Assert.Equal(0, _blobs.Collect(new HashSet<Digest>(), 1).FreedBytes);
        Assert.True(_blobs.IsIntact(digest));
    }

    [Fact]
    public void What_another_process_left_is_collected_unless_it_is_kept()
    {
        var (kept, left) = (_blobs.Put([1]), _blobs.Put([2]));
        var other = new BlobStore(Folder);
        Assert.Equal(1, other.Collect(new HashSet<Digest> { kept }, 0).FreedBytes);
        Assert.Equal((true, false), (other.Has(kept), other.Has(left)));
    }

    [Fact]
    public void A_collection_leaves_a_file_alone_that_is_being_written()
    {
        var temporary = _blobs.PathOf(_blobs.Put(Bytes)) + ".0123.tmp";
        File.WriteAllBytes(temporary, [1]);
        _blobs.Collect(new HashSet<Digest>(), 1);
        Assert.True(File.Exists(temporary));
    }

    [Fact]
    public void A_collection_deletes_digests_in_their_own_folders_and_nothing_that_is_elsewhere_or_behind_a_link()
    {
        var blob = _blobs.Put(Bytes);
        var other = Directory.CreateTempSubdirectory("elastic-").FullName;
        var behind = Path.Combine(other, blob.Hex);
        string[] spared =
        [
            behind, Path.Combine(Folder, blob.Hex), Path.Combine(Folder, "zz", blob.Hex), Path.Combine(Folder, "deep", "er", blob.Hex),
            Path.Combine(Folder, blob.Hex[..2], "deeper", blob.Hex), Path.Combine(Folder, blob.Hex[..2], "readme"),
        ];
        foreach (var path in spared)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, [1]);
        }

        var linked = Path.Combine(Folder, blob.Hex[..2] == "ff" ? "fe" : "ff");
        Directory.CreateSymbolicLink(linked, other);
        File.WriteAllBytes(Path.Combine(other, Path.GetFileName(linked) + blob.Hex[2..]), [1]);

        Assert.Equal(Bytes.Length, new BlobStore(Folder).Collect(new HashSet<Digest>(), int.MaxValue).FreedBytes);
        Assert.False(_blobs.Has(blob));
        Assert.All(spared, path => Assert.True(File.Exists(path), path));
        Assert.Equal(2, Directory.GetFiles(other).Length);
        Directory.Delete(other, recursive: true);
    }

    [Fact]
    public void What_is_put_again_while_a_collection_looks_at_it_stays()
    {
        var digest = _blobs.Put(Bytes);
        _blobs.Begin(1);
        Assert.Equal(0, _blobs.Collect(Interrupted(digest, () => _blobs.Put(Bytes)), 1).FreedBytes);
        Assert.True(_blobs.IsIntact(digest));
    }

    [Fact]
    public async Task Puts_and_collections_on_many_threads_do_not_disturb_each_other()
    {
        var shared = Enumerable.Range(0, 4).Select(i => new[] { (byte)i }).ToList();
        var kept = _blobs.Put(Bytes);
        using var writing = new CancellationTokenSource();
        var collector = Task.Run(() =>
        {
            do
                _blobs.Collect(new HashSet<Digest> { kept }, 1);
            while (!writing.IsCancellationRequested);
        });
        await Task.WhenAll(Enumerable.Range(0, 3).Select(w => Task.Run(() =>
        {
            for (var i = 0; i < 400; i++)
                Assert.Equal(Digest.Of(shared[(i + w) % 4]), _blobs.Put(shared[(i + w) % 4]));
        })));
        await writing.CancelAsync();
        await collector;

        Assert.True(_blobs.IsIntact(kept));
        Assert.All(
            Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories),
            file => Assert.True(_blobs.IsIntact(new Digest(Path.GetFileName(file)))));
    }

    [Fact]
    public async Task Many_threads_may_put_the_same_blob_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => _blobs.Put(Bytes))));
        Assert.Equal(Bytes, _blobs.Read(Digest.Of(Bytes)));
        Assert.Single(Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories));
    }

    // A set that keeps nothing, and does something else when it is asked about one blob.
    private static HashSet<Digest> Interrupted(Digest digest, Action action) =>
        new([Digest.Of("a blob that nobody has"u8)], EqualityComparer<Digest>.Create((a, b) => a == b, asked =>
        {
            if (asked == digest)
                action();
            return asked.GetHashCode();
        }));

    internal static void Flip(string path, long at)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 1));
    }
}
