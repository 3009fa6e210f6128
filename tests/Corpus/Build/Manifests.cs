using Elastic.Corpus.Build;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Manifests as a person would write them.</summary>
internal static class Manifests
{
    /// <param name="sources">A name and a path each.</param>
    /// <param name="stages">A name each, with keys: "gopher-quality words=1,100".</param>
    public static BuildManifest Of(IReadOnlyList<(string Name, string Path)> sources, params string[] stages) => BuildManifest.Of(
        [.. sources.Select(s => (IReadOnlyList<SettingText>)[Text("source.name", [s.Name]), Text("source.paths", [s.Path], isList: true)])],
        [.. stages.Select(Stage)]);

    /// <summary>Sources with any keys, and no stage.</summary>
    /// <param name="sources">Keys without "source." and their values; those of lists end with "[]", with '|' between items.</param>
    public static BuildManifest OfSources(params (string Key, string Value)[][] sources) => BuildManifest.Of(
        [
            .. sources.Select(keys => (IReadOnlyList<SettingText>)
            [
                .. keys.Select(k => k.Key.EndsWith("[]", StringComparison.Ordinal)
                    ? Text($"source.{k.Key[..^2]}", k.Value.Split('|'), isList: true) : Text($"source.{k.Key}", [k.Value])),
            ]),
        ],
        []);

    private static (StageKind, IReadOnlyList<SettingText>) Stage(string text)
    {
        var words = text.Split(' ');
        var kind = StageKinds.Find(words[0])!;
        return (kind, [.. words[1..].Select(word => word.Split('=')).Select(pair => Value(kind, pair[0], pair[1].Split(',')))]);
    }

    private static SettingText Value(StageKind kind, string key, string[] items)
    {
        var setting = kind.Schema.Find($"{kind.Name}.{key}") ?? kind.Schema.Find($"scope.{key}")!;
        return Text(setting.Key, items, setting.Kind.IsList);
    }

    private static SettingText Text(string key, IReadOnlyList<string> items, bool isList = false) => new(key, items, isList, "the test");
}
