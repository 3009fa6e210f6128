using System.Xml.Linq;

namespace Elastic.Structure.Tests;

public class ToolPackageTests
{
    private static readonly XDocument Project = XDocument.Parse(Repository.Read("src/Pbm/Pbm.csproj"));

    [Fact]
    public void Pbm_is_packed_as_a_tool_under_an_id_that_is_not_another_program_s()
    {
        Assert.Equal("true", Property("PackAsTool"));
        Assert.Equal("pbm", Property("ToolCommandName"));
        Assert.Equal("Elastic.Pbm", Property("PackageId"));
    }

    [Fact]
    public void Its_package_carries_a_readme_and_the_licence()
    {
        var packed = Project.Descendants("None").Where(item => (string?)item.Attribute("Pack") == "true")
            .SelectMany(item => ((string)item.Attribute("Include")!).Split(';')).ToList();
        Assert.Contains(Property("PackageReadmeFile"), packed);
        Assert.Contains("../../LICENSE", packed);
        Assert.All(packed, file => Assert.True(File.Exists(Path.Combine(Repository.Root, "src", "Pbm", file)), $"{file} is not there"));
    }

    private static string Property(string name) => Project.Descendants(name).Single().Value;
}
