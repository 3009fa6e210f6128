using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

// Journals of each format version, with every event of that version. They must be read for ever, and fold to the same state: a file here is
// never changed. A field that is added later is missing in them, and so has to have a default.
public sealed class GoldenJournalTests
{
    private static readonly RunEvent[] Version1 = [.. GoldenLines.Read("golden-journal-1.txt")];

    [Fact]
    public void A_journal_of_version_1_has_every_event_of_that_version() => Assert.Equal(
        [
            "arithmetic-chosen", "checkpoint-dropped", "checkpoint-taken", "chunks-averaged", "corpus-published", "node-quarantined",
            "replica-computed", "replica-confirmed", "replica-contested", "replica-handed-over", "replica-settled",
            "rolled-back", "round-committed", "run-finished", "run-initialized", "run-paused", "run-resumed", "run-started",
            "settings-changed", "version-evaluated", "work-lost",
        ],
        GoldenLines.Of("golden-journal-1.txt").Select(line => line.Manifest).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void A_journal_of_version_1_folds_to_the_state_that_it_had()
    {
        var run = At(Version1.Length);

        Assert.True(run.IsFinished);
        Assert.False(run.IsPaused);
        Assert.Equal((new RunName("a"), "request-0 request-1 request-2"), (run.Name!.Value, string.Join(' ', run.Requests)));
        Assert.Equal((4, 3072L, "1 cpu"), (run.Round, run.TokensSeen, run.Arithmetic));
        Assert.Equal((131_072L, 1000L, 100L), (run.Elements, run.Blocks, run.HeldOutBlocks));
        Assert.Equal(Is("60bcc0c029449c18969acafb438c6eeb5b322bf9e3a0c9c202b0998a3e429403"), run.Version);
        Assert.Equal(Is("d906f5a985138a8be69c74ddc1ebd11f991fd0473a3f337682851cd75c44e137"), run.Fingerprint);
        Assert.Equal(Is("553c77513d54ba753d0b4c92994de0a559b14ac0da78b47287fcc481cfcc5561"), run.ChainHead);
        Assert.Equal(Is("6b17b8fcc411a533c822a5117e33cf73fa6766739d7d36ac86dc4bea883af4fe"), run.Corpus);
        Assert.Equal(Is("05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"), run.Manifest);
        Assert.Equal(
            [Is("b89088762a57e6f845d9971e8b2d051a7d6c5665819dc5faf0a7b7c62a8a3a1b"),
                Is("93c6529c87bae6b51f739c72a11a871aa88cc44f4f68779b44d316644003992f")],
            run.InnerStates);
        Assert.Equal(
            (4, "round-000004.json", run.ChainHead),
            (run.Checkpoints.Single().Version, run.Checkpoints[0].Path, run.Checkpoints[0].ChainHead));
        Assert.Equal(new VersionScore(4, 3.5, 5.625), run.Score);
        Assert.Equal([KeyValuePair.Create("a", "a was outvoted")], run.Quarantined);
    }

    [Fact]
    public void A_round_of_version_1_that_is_under_way_has_its_votes_and_what_counts_of_them()
    {
        var run = At(Array.FindIndex(Version1, e => e is RunEvent.NodeQuarantined) + 1);

        Assert.Equal(
            (1, Is("1de1eebefae7dee964272b1f280b96af348acbd19ecd0304fa6117081eb2d61d")),
            (run.Round, run.Finished.Single().Value.Contribution));
        Assert.Equal([A, B, C], run.QuorumOf(0).Votes.Select(v => v.Node));
        Assert.False(run.QuorumOf(0).IsDisputed);
    }

    [Fact]
    public void The_hash_chain_of_a_journal_of_version_1_holds_although_one_loss_is_no_number()
    {
        var run = RunState.Empty(Id);
        foreach (var e in Version1)
        {
            if (e is RunEvent.RoundCommitted c)
                Assert.Equal(c.ChainHead, HashChain.Append(run.ChainHead, run.Finished.Values.Select(HashChain.Of), c.Version));
            run = Run.Apply(run, e);
        }

        Assert.Contains(Version1, e => e is RunEvent.ReplicaComputed { Result.LossNats: double.NaN });
    }

    // Their corpora were complete when they began: there is no window to wait for, and none in the hash chain.
    [Fact]
    public void A_run_of_version_1_reads_a_corpus_that_was_complete()
    {
        var run = At(Version1.Length);
        Assert.Empty(run.Windows);
        Assert.True((run with { Round = 0 }).HasData(Plan));
        Assert.Empty(run.WindowsOf(Plan));
    }

    private static RunState At(int events) => Fold(RunState.Empty(Id), Version1[..events]);

    private static Digest Is(string hex) => new(hex);
}
