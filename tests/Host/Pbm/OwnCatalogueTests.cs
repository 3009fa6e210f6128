using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>What pbm knows of a seed without one.</summary>
public sealed class OwnCatalogueTests
{
    private const string File = "src/Pbm/catalogue.json";
    private const string Update = "UPDATE_DOCS=1 dotnet test -c Release tests/Host --filter OwnCatalogue";

    private static IEnumerable<PaletteHelp> Palettes =>
        ControlPalettes.Of(new FakeCluster(), TimeProvider.System).Select(p => p.Help);

    [Fact]
    public void The_palettes_in_pbm_are_the_seed_s()
    {
        var (path, wanted) = (Checkout.PathOf(File), PaletteHelp.Write(Palettes));
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            System.IO.File.WriteAllText(path, wanted);
        else
            Assert.True(System.IO.File.ReadAllText(path) == wanted, $"{File} is not what the seed offers; write it anew with: {Update}");
    }

    [Fact]
    public void Names_that_complete_a_line_come_from_a_command_that_needs_no_argument()
    {
        var palettes = Palettes.ToList();
        foreach (var names in palettes.SelectMany(p => p.Commands).SelectMany(c => c.Arguments).Select(a => a.Names).OfType<NamesOf>())
            Assert.DoesNotContain(
                palettes.First(p => p.Name == names.Palette).Commands.First(c => c.Name == names.Command).Arguments, a => a.Required);
    }
}
