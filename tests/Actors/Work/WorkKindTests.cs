using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Messages.Work;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Work;

/// <summary>A kind of work is two files: what is ordered (Coordination/Work/X.cs), and who does it (Actors/Work/XExecutor.cs).</summary>
public sealed class WorkKindTests
{
    private const string Kinds = "src/Coordination/Work", Executors = "src/Actors/Work";

    // What all kinds share lies beside them.
    private static readonly string[] OfAllKinds = ["Scheduling", "WorkKind", "WorkKinds"];

    public static TheoryData<string> All => new(WorkKinds.All.Select(Stem));

    [Theory]
    [MemberData(nameof(All))]
    public void Each_kind_has_its_two_files_with_its_content_its_kind_and_its_executor_in_them(string stem)
    {
        var ordered = Read(Kinds, $"{stem}.cs");
        Assert.Matches($@"public sealed record {stem}(\([^)]*\))?\s+: WorkContent[;\r\n]", ordered);
        Assert.Matches(@"public sealed record \w+\([^)]*\) : WorkOutcome;", ordered);
        Assert.Contains($"public sealed class {stem}Work : WorkKind", ordered, StringComparison.Ordinal);
        Assert.Contains(
            $"internal sealed class {stem}Executor : WorkExecutor", Read(Executors, $"{stem}Executor.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_no_file_of_a_kind_that_is_not_in_the_list()
    {
        var stems = WorkKinds.All.Select(Stem).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(stems, Stems(Kinds, "").Except(OfAllKinds));
        Assert.Equal(stems, Stems(Executors, "Executor").Except(["Work"]));
    }

    [Fact]
    public void Each_kind_has_the_executor_of_its_name_and_file_and_there_is_no_other()
    {
        Assert.Distinct(WorkKinds.All.Select(k => k.Name));
        Assert.Equal(
            WorkKinds.All.Select(k => (k.Name, $"{Stem(k)}Executor")).Order(),
            WorkExecutors.All.Select(e => (e.Kind, e.GetType().Name)).Order());
        Assert.All(WorkKinds.All, k => Assert.Same(k, WorkKinds.Of(new WorkKey(k.Name, 0))));
        Assert.All(WorkKinds.All, k => Assert.Equal(k.Name, WorkExecutors.Of(new WorkKey(k.Name, 0)).Kind));
    }

    [Fact]
    public void Work_that_occupies_devices_is_done_on_devices_and_no_other_is() => Assert.All(
        WorkKinds.All, k => Assert.Equal(k.OccupiesDevices, WorkExecutors.Of(new WorkKey(k.Name, 0)).Lane == WorkLane.Devices));

    [Fact]
    public void The_page_on_the_architecture_says_what_each_kind_does()
    {
        var page = File.ReadAllText(Checkout.PathOf("docs/architecture.md"));
        Assert.All(WorkKinds.All, k => Assert.Contains($"\n| `{k.Name}` | ", page, StringComparison.Ordinal));
    }

    private static string Stem(WorkKind kind) => kind.GetType().Name[..^"Work".Length];

    private static IEnumerable<string> Stems(string folder, string ending) =>
        Directory.GetFiles(Checkout.PathOf(folder), $"*{ending}.cs")
            .Select(f => Path.GetFileNameWithoutExtension(f)[..^ending.Length]).Order(StringComparer.Ordinal);

    private static string Read(string folder, string file) => File.ReadAllText(Path.Combine(Checkout.PathOf(folder), file));
}
