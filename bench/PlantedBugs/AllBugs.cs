namespace Elastic.PlantedBugs;

/// <summary>The bugs. Each stands for a kind of mistake; a change that moves an original moves it here, too (a test looks).</summary>
public static class AllBugs
{
    private const string Coordination = "src/Coordination/";

    public static IReadOnlyList<PlantedBug> List { get; } =
    [
    ];
}
