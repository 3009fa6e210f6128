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
