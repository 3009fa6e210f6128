using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Model.Networks;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>What a command needs for a checkpoint is known before it is brought.</summary>
public sealed class CheckpointRoomTests : TemporaryFolder
{
    private const long GiB = 1L << 30;

    [Fact]
    public void What_one_command_has_yet_to_write_is_not_there_for_the_next_one()
    {
        var free = 10 * GiB;
        var room = new CheckpointRoom(Folder, () => free);
        var one = Path.Combine(Folder, "one");
        using (room.Take("they", 6 * GiB, one, "wait"))
        {
            Assert.Equal(
                $"they take 4.0 GiB, and {Folder} has 3.0 GiB for them: wait",
                Assert.Throws<ElasticException>(() => room.Take("they", 4 * GiB, Path.Combine(Folder, "two"), "wait")).Message);
            room.Take("they", 3 * GiB, Path.Combine(Folder, "two"), "wait").Dispose();
            // What it has written the disk has no more, and nothing of it comes any more.
            Directory.CreateDirectory(Path.Combine(one, "blobs"));
            using (var file = File.OpenHandle(Path.Combine(one, "blobs", "a"), FileMode.CreateNew, FileAccess.Write))
                RandomAccess.SetLength(file, 4 * GiB);
            free -= 4 * GiB;
            room.Take("they", 3 * GiB, Path.Combine(Folder, "two"), "wait").Dispose();
            Assert.Throws<ElasticException>(() => room.Take("they", (3 * GiB) + 1, Path.Combine(Folder, "two"), "wait"));
        }
        room.Take("they", 5 * GiB, one, "wait").Dispose();
        Assert.Throws<ElasticException>(() => room.Take("they", (5 * GiB) + 1, one, "wait"));
    }

    [Fact]
    public void A_checkpoint_with_frozen_weights_among_the_trained_ones_is_not_fetched_and_that_is_no_defect()
    {
        var model = TinySettings.Of("a").Model;
        var layout = Architectures.LayoutOf(model with { Lora = model.Lora with { Rank = 2 } });
        Assert.True(layout.FrozenLength > 0);
        var (run, checkpoint) = (At(1), CheckpointOf(At(1)));
        Assert.Null(RunCheckpoints.WhyNotFetched(run with { Elements = layout.TrainedLength }, checkpoint, layout));
        Assert.Equal(
            $"round {checkpoint.Version} of run {run.Name} was written by an earlier version of Elastic, which kept frozen weights among "
                + "the trained ones: export its model with that version, and start from the folder",
            RunCheckpoints.WhyNotFetched(run with { Elements = layout.Length }, checkpoint, layout));
    }
}
