using Elastic.PlantedBugs;

namespace Elastic.Structure.Tests;

/// <summary>bench/PlantedBugs takes many minutes, so it is not run here; that its bugs can still be planted is looked at.</summary>
public class PlantedBugTests
{
    public static TheoryData<string> Names => [.. AllBugs.List.Select(b => b.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_bug_can_still_be_planted(string name)
    {
        var bug = AllBugs.List.Single(b => b.Name == name);
        var text = Repository.Read(bug.File);
        Assert.NotEqual(text, bug.PlantIn(text));
    }
}
