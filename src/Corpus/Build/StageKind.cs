using System.Globalization;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>On a setting of a stage that changes what the stage reads: the text or the signals. All others only decide.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ChangesReadingAttribute : Attribute;

/// <summary>A kind of stage that a manifest can name.</summary>
public sealed class StageKind
{
    private readonly Type _settings;
    private readonly Func<SettingsGroup, Stage> _make;
    private readonly Func<IReadOnlyDictionary<string, SettingText>, ICollection<string>, SettingsGroup> _bind;

    private StageKind(
        string name, int version, string summary, Type settings, Func<SettingsGroup, Stage> make,
        Func<IReadOnlyDictionary<string, SettingText>, ICollection<string>, SettingsGroup> bind) =>
        (Name, Version, Summary, _settings, _make, _bind) = (name, version, summary, settings, make, bind);

    /// <summary>As manifests name it, e.g. "gopher-quality"; its settings are this block's.</summary>
    public string Name { get; }

    /// <summary>Raised with each change that gives any document another text, signal or decision.</summary>
    public int Version { get; }

    /// <summary>A sentence for people.</summary>
    public string Summary { get; }

    /// <summary>The keys that its block may have, those of <see cref="ScopeSettings"/> included.</summary>
    public SettingsSchema Schema => new(_settings, typeof(ScopeSettings));

    /// <param name="make">Makes the stage; its settings were checked.</param>
    /// <typeparam name="T">Its settings.</typeparam>
    public static StageKind Of<T>(string name, int version, string summary, Func<T, Stage> make) where T : SettingsGroup => new(
        name, version, summary, typeof(T), settings => make((T)settings), SettingsBinding.Bind<T>);

    /// <summary>Makes the stage of some settings.</summary>
    /// <param name="values">What the manifest says; the rest has its default.</param>
    /// <param name="problems">Gets a sentence about each value that is wrong.</param>
    public PlannedStage Plan(IReadOnlyList<SettingText> values, ICollection<string> problems)
    {
        var all = Schema.Defaults.Concat(values).GroupBy(v => v.Key).ToDictionary(g => g.Key, g => g.Last());
        var settings = _bind(all, problems);
        var scope = SettingsBinding.Bind<ScopeSettings>(all, problems);
        foreach (var problem in settings.Problems().Concat(scope.Problems()))
            problems.Add(BuildManifest.Placed(problem, values));
        return new PlannedStage(this, settings, scope, problems.Count == 0 ? _make(settings) : null);
    }
}

/// <summary>A stage of a build, with the settings that it was given.</summary>
public sealed class PlannedStage
{
    private readonly Stage? _stage;

    internal PlannedStage(StageKind kind, SettingsGroup settings, ScopeSettings scope, Stage? stage) =>
        (Kind, Settings, Scope, _stage) = (kind, settings, scope, stage);

    /// <summary>Which it is.</summary>
    public StageKind Kind { get; }

    /// <summary>How it works.</summary>
    public SettingsGroup Settings { get; }

    /// <summary>What it applies to.</summary>
    public ScopeSettings Scope { get; }

    /// <summary>What carries it out; there is none where settings are wrong.</summary>
    public Stage Stage => _stage ?? throw new InvalidOperationException($"the settings of {Kind.Name} are wrong");

    /// <summary>
    /// It takes parts out of texts when all documents are known: see <see cref="CuttingStage"/>, <see cref="TrimmingStage"/>.
    /// </summary>
    public bool IsCutting => _stage is CuttingStage or TrimmingStage;

    /// <summary>Everything that decides texts, signals and decisions.</summary>
    public string Identity => Text(_ => true);

    /// <summary>
    /// The part of <see cref="Identity"/> that decides texts and signals, the scope included: outside of it nothing is read.
    /// </summary>
    public string ReadingIdentity => Text(ChangesReading);

    private string Text(Func<Setting, bool> counts)
    {
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"{Kind.Name} {Kind.Version}"));
        // Where files lie decides nothing: what is in them is in the inputs.
        foreach (var (setting, value) in SettingsRecord.ValuesOf(Settings).Where(v => counts(v.Setting) && !v.Setting.IsPath)
            .Concat(SettingsRecord.ValuesOf(Scope)))
            text.Append(CultureInfo.InvariantCulture, $"\n{setting.Key} = {Shown(setting, value)}");
        foreach (var input in Stage.Inputs)
            text.Append(CultureInfo.InvariantCulture, $"\n{OneLine.Of(input, int.MaxValue)}");
        return text.ToString();
    }

    // All of it: two builds that differ at the end of a long list are two builds.
    private static string Shown(Setting setting, object? value) =>
        value is null ? setting.Show(value)
        : setting.Kind.IsList ? $"[{ItemList.Of(setting.Kind.Items(value), ", ")}]" : OneLine.Of(setting.Show(value), int.MaxValue);

    private bool ChangesReading(Setting setting) => setting.Has<ChangesReadingAttribute>();
}
