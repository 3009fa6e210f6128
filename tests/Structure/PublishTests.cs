using System.Xml.Linq;

namespace Elastic.Structure.Tests;

public class PublishTests
{
    [Fact]
    public void A_publish_carries_the_licence_and_the_documentation()
    {
        var published = XDocument.Parse(Repository.Read("src/Host/Host.csproj")).Descendants("None")
            .Where(item => (string?)item.Attribute("CopyToPublishDirectory") == "PreserveNewest")
            .SelectMany(item => ((string)item.Attribute("Include")!).Split(';')).ToList();
        Assert.Equal(["../../LICENSE", "../../README.md", "../../docs/**/*.md", "../../hocon/reference.conf"], published);
        foreach (var file in published.Where(f => !f.Contains('*')))
            Assert.True(File.Exists(Path.Combine(Repository.Root, "src", "Host", file)), $"{file} is not there");
    }
}
