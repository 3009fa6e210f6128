using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>Parameters that no step changes: a set of their own, which every version names.</summary>
public sealed class FrozenParametersTests
{
    private static readonly RunState Adapted =
        Fold(Started, new RunEvent.RunInitialized(Id, D("version 0"), D("fingerprint 0"), Frozen: D("frozen")));

    [Fact]
    public void Version_0_tells_which_they_are()
    {
        var made = Answer(A, InitializeWork.Key, new Initialized(D("version 0"), D("fingerprint 0"), D("frozen")));
        var e = Assert.IsType<RunEvent.RunInitialized>(Assert.Single(InitializeWork.Kind.Decide(Started, Plan, made).Events));
        Assert.Equal(D("frozen"), e.Frozen);
        // Two nodes that disagree about them alone disagree.
        Assert.NotEqual(
            InitializeWork.Kind.BytesOf(made.Outcome), InitializeWork.Kind.BytesOf(new Initialized(D("version 0"), D("fingerprint 0"))));
    }

    [Fact]
    public void Every_version_has_them_and_is_assembled_from_one_that_has()
    {
        var run = WithChunks(WithResults(Adapted));
        var view = ClusterView.Empty.Enlist(A, [new("cpu:0")]) with { Surveyed = true };
        var work = Scheduler.Next(run, view, Plan, new StragglerDetector(TimeSpan.Zero, null)).Given.Single(w => w.Content is Assemble);
        var assemble = Assert.IsType<Assemble>(work.Content);
        Assert.Equal(D("version 0"), assemble.FrozenOf);
        Assert.Contains(D("version 0"), AssembleWork.Kind.Needs(assemble));
        var parts = AssembleWork.Kind.Cut(assemble, 2).Select(p => p.Content).ToList();
        Assert.Equal(2, parts.Count);
        var joined = Assert.IsType<Assemble>(AssembleWork.Kind.Join(parts));
        Assert.Equal((assemble.FrozenOf, 2), (joined.FrozenOf, joined.Chunks.Length));

        var next = run.NextVersion(Plan);
        Assert.Equal(D("frozen"), next.Frozen);
        Assert.NotEqual((next with { Frozen = null }).Fingerprint, next.Fingerprint);
        Assert.Null(WithChunks(WithResults(Computing)).NextVersion(Plan).Frozen);
    }

    [Fact]
    public void A_run_of_a_version_that_averaged_them_too_does_not_go_on() => Assert.Equal(
        "run a was begun by a version of Elastic that averages 131072 parameters of this model, and this one averages 65536: "
            + "go on with that version, or start a new run under another name",
        RunRequests.Decide(Started, Plan, Simulation.VirtualRun.Begin(1) with { Elements = 65_536 }).Refusal);
}
