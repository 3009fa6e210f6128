using Elastic.Host.Configuration;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Configuration;

public sealed class SettingsDocumentsTests
{
    [Fact]
    public void Reference_conf_is_what_the_settings_say() =>
        IsUpToDate(SettingsDocuments.ReferencePath, _ => SettingsDocuments.Reference(SettingsSchema.All));

    [Fact]
    public void The_documentation_s_tables_are_what_the_settings_say() =>
        IsUpToDate(SettingsDocuments.DocumentationPath, text => SettingsDocuments.Documentation(text, SettingsSchema.All));

    [Fact]
    public void Reference_conf_reads_as_the_defaults()
    {
        var layer = ConfigurationLayer.Parse("reference.conf", File.ReadAllText(Checkout.PathOf(SettingsDocuments.ReferencePath)));
        Assert.Empty(layer.Problems);
        Assert.Equal(SettingsSchema.All.Settings.Select(s => s.Key), layer.Values.Select(v => v.Key));
        List<string> problems = [];
        var read = SettingsBinding.Bind<TrainingSettings>(ConfigurationLoader.Merge([layer]), problems);
        Assert.Empty(problems);
        Assert.Equal(SettingsText.Write(TrainingSettings.Defaults), SettingsText.Write(read));
        Assert.Equal(
            SettingsText.Write(NodeSettings.Defaults),
            SettingsText.Write(SettingsBinding.Bind<NodeSettings>(ConfigurationLoader.Merge([layer]), problems)));
    }

    private static void IsUpToDate(string name, Func<string, string> write)
    {
        var path = Checkout.PathOf(name);
        var there = File.ReadAllText(path);
        var wanted = write(there);
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            File.WriteAllText(path, wanted);
        else
            Assert.True(there == wanted, $"{name} is not what the settings say; write it anew with: {SettingsDocuments.Update}");
    }
}
