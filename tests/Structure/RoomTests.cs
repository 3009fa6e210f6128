namespace Elastic.Structure.Tests;

public class RoomTests
{
    private static readonly IReadOnlyList<ProjectFile> Real = Repository.Projects();

    [Fact]
    public void Every_reference_points_to_a_project_that_stands_before_and_no_project_sees_what_it_must_not() =>
        Violations.None(Rooms.Violations(Real));

    [Fact]
    public void Every_project_is_in_the_solution() => Violations.None(Rooms.Missing(Real, Repository.Read("Elastic.sln")));

    [Fact]
    public void These_tests_see_the_projects_and_what_they_use()
    {
        var actors = Assert.Single(Real, p => p.Path == "src/Actors/Actors.csproj");
        Assert.Contains("src/Storage/Storage.csproj", actors.References);
        Assert.Contains("Akka", actors.Packages);
        Assert.Contains("Microsoft.AspNetCore.App", Assert.Single(Real, p => p.Path == "src/Transfer/Transfer.csproj").Frameworks);
        Assert.InRange(Real.Count(p => p.Area == "src"), 12, 20);
    }

    [Theory]
    [InlineData("Messages", "Model", "does not stand before")]
    [InlineData("Coordination", "Storage", "does not stand before")]
    [InlineData("Storage", "Storage", "does not stand before")]
    [InlineData("Kernels", "Actors", "does not stand before")]
    [InlineData("Pbm", "Actors", "pbm knows the protocol")]
    public void A_reference_that_points_the_wrong_way_is_found(string from, string to, string why)
    {
        var violation = Assert.Single(Rooms.Violations(
            [Project($"src/{from}", Reference($"..\\{to}\\{to}.csproj")), .. Empty(to, except: from)]));
        Assert.Contains(why, violation, StringComparison.Ordinal);
        Assert.StartsWith($"src/{from}/{from}.csproj", violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("src/Host", "tests/Testing", true)]
    [InlineData("src/Host", "bench/Step", true)]
    [InlineData("bench/Step", "tests/Cluster", true)]
    [InlineData("bench/Step", "tests/Testing", false)]
    [InlineData("tests/Cluster", "bench/Step", false)]
    public void What_is_shipped_uses_no_tests_and_benchmarks_use_the_harness_only(string from, string to, bool refused)
    {
        var include = $"../../{to}/{to.Split('/')[1]}.csproj";
        Assert.Equal(refused ? 1 : 0, Rooms.Violations([Project(from, Reference(include)), Project(to)]).Count);
    }

    [Theory]
    [InlineData("Coordination", "Akka.Cluster.Tools")]
    [InlineData("Coordination", "Npgsql")]
    [InlineData("Coordination", "Microsoft.Data.Sqlite")]
    [InlineData("Coordination", "TorchSharp")]
    [InlineData("Kernels", "TorchSharp")]
    [InlineData("Kernels", "libtorch-cpu-linux-x64")]
    [InlineData("Storage", "Akka")]
    [InlineData("Transfer", "Akka.Streams")]
    [InlineData("Simulation", "Akka")]
    public void A_package_that_a_project_must_not_see_is_found_by_itself_and_through_others(string name, string package)
    {
        var use = $"""<PackageReference Include="{package}" />""";
        Assert.Contains($"{name} must not see", Assert.Single(Rooms.Violations([Project($"src/{name}", use)])), StringComparison.Ordinal);

        // The project before it is forbidden the same, or it is told of as the way by which the package came.
        var through = Rooms.Violations(
            [Project($"src/{name}", Reference("../Foundation/Foundation.csproj")), Project("src/Foundation", use)]);
        Assert.Contains(through, v => v.Contains($"through src/Foundation/Foundation.csproj: {name} must not", StringComparison.Ordinal));
    }

    [Fact]
    public void A_web_server_in_the_pure_core_is_found()
    {
        var violations = Rooms.Violations([Project("src/Coordination", """<FrameworkReference Include="Microsoft.AspNetCore.App" />""")]);
        Assert.Contains("uses Microsoft.AspNetCore.App", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""<Compile Include="../Actors/Runs/RunSupervisor.cs" />""", "by its path")]
    [InlineData("""<Reference Include="../../lib/Akka.dll" />""", "by its path")]
    [InlineData("""<ProjectReference Include="../Nowhere/Nowhere.csproj" />""", "which is not there")]
    public void What_comes_in_by_a_side_door_is_found(string item, string why) =>
        Assert.Contains(why, Assert.Single(Rooms.Violations([Project("src/Coordination", item)])), StringComparison.Ordinal);

    [Fact]
    public void A_project_that_nobody_gave_a_place_is_found() =>
        Assert.Contains("no place in the order", Assert.Single(Rooms.Violations([Project("src/Attic")])), StringComparison.Ordinal);

    [Fact]
    public void A_project_that_is_not_in_the_solution_is_found()
    {
        ProjectFile[] projects = [Project("src/Host"), Project("src/Pbm")];
        var violation = Assert.Single(Rooms.Missing(projects, """Project("{1}") = "Host", "src\Host\Host.csproj", "{2}" """));
        Assert.StartsWith("src/Pbm/Pbm.csproj", violation, StringComparison.Ordinal);
    }

    private static ProjectFile Project(string folder, string items = "") =>
        ProjectFile.Parse($"{folder}/{folder.Split('/')[1]}.csproj", $"<Project><ItemGroup>{items}</ItemGroup></Project>");

    private static ProjectFile[] Empty(string name, string except) => name == except ? [] : [Project($"src/{name}")];

    private static string Reference(string include) => $"""<ProjectReference Include="{include}" />""";
}
