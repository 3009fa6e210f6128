using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Transfer.Tests;

/// <summary>What the store promises to downloads.</summary>
public sealed class AdoptedBlobTests : TemporaryFolder
{
    private static readonly byte[] Bytes = TransferSamples.Bytes(1000);
    private static readonly Digest Name = Digest.Of(Bytes);

    [Fact]
    public void A_claim_on_what_is_missing_or_damaged_is_denied_and_a_put_then_writes_it()
    {
        var store = new BlobStore(Folder);
        Assert.False(store.Claim(Name));
        Directory.CreateDirectory(Path.GetDirectoryName(store.PathOf(Name))!);
        File.WriteAllBytes(store.PathOf(Name), new byte[Bytes.Length]);
        Assert.False(store.Claim(Name));
        store.Put(Bytes);
        Assert.True(store.Claim(Name));
        Assert.Equal(Bytes, store.Read(Name));
    }

    [Fact]
    public void An_adopted_file_is_the_blob()
    {
        var store = new BlobStore(Folder);
        var temporary = Adoptable(store);
        store.Adopt(Name, temporary);
        Assert.Equal(Bytes, store.Read(Name));
        Assert.False(File.Exists(temporary));
    }

    [Fact]
    public void What_was_adopted_or_claimed_for_a_round_is_not_collected_before_it()
    {
        var store = new BlobStore(Folder);
        store.Begin(3);
        store.Adopt(Name, Adoptable(store));
        Assert.Equal(0, store.Collect(new HashSet<Digest>(), 3).FreedBytes);
        store.Begin(5);
        Assert.True(store.Claim(Name));
        Assert.Equal(0, store.Collect(new HashSet<Digest>(), 5).FreedBytes);
        Assert.Equal(Bytes.Length, store.Collect(new HashSet<Digest>(), 6).FreedBytes);
        Assert.False(store.Claim(Name));
    }

    [Fact]
    public void A_download_that_a_dead_process_left_is_cleaned_up()
    {
        var temporary = Adoptable(new BlobStore(Folder));
        _ = new BlobStore(Folder);
        Assert.False(File.Exists(temporary));
    }

    private static string Adoptable(BlobStore store)
    {
        var temporary = store.TemporaryPath(Name);
        File.WriteAllBytes(temporary, Bytes);
        return temporary;
    }
}
