using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

/// <summary>What it takes to add a setting: the property in <see cref="TideSettings"/>, and nothing else.</summary>
public sealed class AddedSettingTests
{
    public sealed record TideSettings : SettingsGroup
    {
        [Setting("tide.height", 1.5, "Metres of water above the mean. One and a half, because that is usual. Higher is wetter.")]
        [Between(0, 16), Since(8, 0.0)]
        public required double Height { get; init; }
    }

    /// <summary>The settings of a run, and the group that is tried.</summary>
    public sealed record WithTide : SettingsGroup
    {
        public required TrainingSettings Training { get; init; }

        public required TideSettings Tide { get; init; }
    }

    private static readonly SettingsSchema Schema = new(typeof(WithTide));
    private static readonly WithTide Defaults = SettingsRecord.DefaultsOf<WithTide>();
    private static readonly WithTide High = Defaults with { Tide = new TideSettings { Height = 4.25 } };

    [Fact]
    public void Its_key_is_known_and_found_when_misspelt()
    {
        Assert.Equal(
            SettingsRecord.Of(typeof(TrainingSettings)).Settings.Select(s => s.Key).Append("tide.height"),
            Schema.Settings.Select(s => s.Key));
        Assert.Equal(
            ["unknown key tide.heigth (mine.conf, line 1): did you mean tide.height?"],
            ConfigurationLayer.Parse("mine.conf", "tide { heigth = 1 }", Schema).Problems);
    }

    [Fact]
    public void It_is_bound_from_layers_over_its_default_and_refused_when_it_is_of_the_wrong_type()
    {
        Assert.Equal(1.5, Bound("").Tide.Height);
        Assert.Equal(
            (4.25, 7),
            (Bound("tide.height = 4.25, run.rounds = 7").Tide.Height, Bound("tide.height = 4.25, run.rounds = 7").Training.Run.Rounds));
        List<string> problems = [];
        Bound("tide.height = high", problems);
        Assert.Equal(["tide.height = high (mine.conf, line 1): expected a number"], problems);
    }

    [Fact]
    public void It_is_checked() =>
        Assert.Equal(["tide.height = 20: use 0 to 16"], (High with { Tide = new TideSettings { Height = 20 } }).Problems());

    [Fact]
    public void It_is_in_the_canonical_text_and_older_texts_stand_for_what_was_before_it()
    {
        var text = SettingsText.Write(High);
        Assert.StartsWith("{\"settings\":8,\"run.name\":", text, StringComparison.Ordinal);
        Assert.EndsWith(",\"tide.height\":4.25}", text, StringComparison.Ordinal);
        Assert.Equal(text, SettingsText.Write(SettingsText.Read<WithTide>(text)));

        // What a run wrote before the key existed; its default came with it.
        Assert.Equal(0, SettingsText.Read<WithTide>(SettingsText.Write(TrainingSettings.Defaults)).Tide.Height);
        // A text of the key's own version has to have it.
        Assert.Equal(
            "the stored settings of the run lack tide.height",
            Refusal<WithTide>(text.Replace(",\"tide.height\":4.25", "", StringComparison.Ordinal)));
        // Who does not know the key does not go on with its run.
        Assert.Equal(
            "the run was started by a newer Elastic, whose settings have version 8 (this one knows 7): go on with that version",
            Refusal<TrainingSettings>(text));
    }

    [Fact]
    public void It_is_a_difference() => Assert.Equal(["tide.height: 1.5 -> 4.25"], SettingsDifference.Between(Defaults, High));

    [Fact]
    public void It_is_in_the_help_and_in_the_documents()
    {
        Assert.Matches(@"^tide\.height = 1\.5 +Metres of water above the mean\.$", SettingsHelp.Lines(Schema).Last());
        Assert.EndsWith("""

            ## tide

            | key | default | takes | fixed | |
            |---|---|---|---|---|
            | `tide.height` | `1.5` | a number from 0 to 16 | yes |
            """ +
            " Metres of water above the mean. One and a half, because that is usual. Higher is wetter. |\n",
            SettingsDocuments.Tables(Schema), StringComparison.Ordinal);
        Assert.EndsWith("""

            tide {
              # Metres of water above the mean. One and a half, because that is usual. Higher is wetter.
              # Takes: a number from 0 to 16
              height = 1.5
            }

            """, SettingsDocuments.Reference(Schema), StringComparison.Ordinal);
    }

    private static WithTide Bound(string text, List<string>? problems = null) => SettingsBinding.Bind<WithTide>(
        ConfigurationLoader.Merge([ConfigurationLayer.Defaults(Schema), ConfigurationLayer.Parse("mine.conf", text, Schema)], Schema),
        problems ?? []);

    private static string Refusal<T>(string text) where T : SettingsGroup =>
        Assert.Throws<ElasticException>(() => SettingsText.Read<T>(text)).Message;
}
