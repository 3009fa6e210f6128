using System.Globalization;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Exchange;
using Elastic.ObjectStore;
using Elastic.Storage;

namespace Elastic.Host.Configuration;

/// <summary>
/// What a Hugging Face folder that <c>model.init</c> names decides: the model's shape and the tokenizer; where it is an adapter's, the
/// adapter, and what the folder of its model decides. It stands in for defaults and presets; what a person wrote has to agree with it.
/// </summary>
internal static class ModelFolderLayer
{
    private const string InitKey = "model.init", VocabularyKey = "model.vocabulary", TokenizerKey = "corpus.tokenizer";
    private const string MaskKey = "model.mask-token", BaseKey = "model.init-base";
    private const string ChatKey = "corpus.chat-template", ContextKey = "model.context", DropoutKey = "model.dropout";

    /// <summary>The layer; empty where these name no folder.</summary>
    /// <param name="given">All layers that somebody gave, later ones above earlier ones.</param>
    /// <param name="models">Knows where the copies of folders in stores are, which have been fetched; null for nowhere.</param>
    /// <param name="isNew">Of a run that has no settings yet.</param>
    /// <param name="problems">Gets what is wrong with the folder, and each value that contradicts it.</param>
    public static ConfigurationLayer Of(
        IEnumerable<ConfigurationLayer> given, StoredModels? models, bool isNew, ICollection<string> problems)
    {
        var values = given.SelectMany(l => l.Values).ToList();
        string Here(string place) => models?.PlaceOf(place) ?? place;
        if (PlaceIn(values, InitKey) is not { } named || !Directory.Exists(Here(named)))
            return ConfigurationLayer.None;
        var (path, written) = (Path.GetFullPath(Here(named)), values.Where(v => !v.IsBuiltIn).ToLookup(v => v.Key));
        try
        {
            using var adapter = AdapterFolder.IsAt(path) ? AdapterFolder.Open(path) : null;
            var chosen = PlaceIn(values, BaseKey);
            if (adapter is null && chosen is not null)
                problems.Add($"{BaseKey} = {chosen}: {path} is a whole model and no adapter beside another one; leave the key out");
            var network = adapter is null ? path : NetworkOf(adapter, chosen is null ? null : Here(chosen));
            using var folder = ModelFolder.Open(network);
            var isChosen = written[TokenizerKey].Any();
            var tokenizer = TokenizerOf(network, isChosen);
            // Programs add a token for filling up, and do not always give the model a row for it.
            if (tokenizer?.VocabularySize > folder.Model.Vocabulary)
            {
                if (!isChosen)
                    problems.Add($"the tokenizer in {network} has {tokenizer.VocabularySize} tokens, and its model "
                        + $"{folder.Model.Vocabulary}: say which one the model was trained with, e.g. --set {TokenizerKey}=gpt2");
                tokenizer = null;
            }
            List<SettingText> decided =
            [
                .. folder.Settings, .. adapter?.Settings ?? [],
                .. IsLeftTo(written[TokenizerKey].LastOrDefault(), tokenizer) ? [] : Named(tokenizer, network, values),
                .. MaskOf(folder, tokenizer),
                // Models of this kind are trained without, also where a preset has that of GPT-2.
                .. isNew && folder.Model.Architecture == "llama" && !written[DropoutKey].Any()
                    ? [new SettingText(DropoutKey, ["0"], IsList: false, path)] : Array.Empty<SettingText>(),
            ];
            if (folder.Model.IsMasked && !decided.Exists(s => s.Key == MaskKey) && !written[MaskKey].Any())
                problems.Add($"{path} does not say which token hides others: its tokenizer has no [MASK], and its config.json no "
                    + $"mask_token_id; say it with --set {MaskKey}=N");
            foreach (var setting in decided)
                if (written[setting.Key].LastOrDefault() is { } other && Differs(other, setting, network, tokenizer?.Id))
                    problems.Add($"{other.Key} = {other.Text} ({other.Where}): the weights of {InitKey} are of a model with {setting.Text} "
                        + $"({setting.Where}); leave the key out, or name other weights"
                        + (other.Key == ContextKey ? $"; shorter samples has corpus.sample-tokens = {other.Text}" : ""));
            // Journals hold the path, and so do orders to other nodes; of what is in a store they hold the address, as it was written.
            return ConfigurationLayer.Of(path,
            [
                new SettingText(InitKey, [S3Address.Is(named) ? named : path], IsList: false, path),
                .. adapter is null ? Array.Empty<SettingText>()
                    : [new SettingText(BaseKey, [chosen is not null && S3Address.Is(chosen) ? chosen : network], IsList: false, path)],
                .. decided,
            ]);
        }
        catch (ElasticException e)
        {
            foreach (var problem in e.Message.Split('\n'))
                problems.Add(problem);
            return ConfigurationLayer.None;
        }
    }

    /// <summary>The places of weights that the layers name, in stores or on this machine.</summary>
    public static IEnumerable<string?> PlacesIn(IEnumerable<ConfigurationLayer> given)
    {
        var values = given.SelectMany(l => l.Values).ToList();
        return [PlaceIn(values, InitKey), PlaceIn(values, BaseKey)];
    }

    /// <summary>
    /// A value with the full path of weights that it names on this machine, which journals and orders to other nodes hold; any other value
    /// as it is.
    /// </summary>
    /// <param name="begun">What the run was begun with, which is the same only as it was written; null for a new run.</param>
    public static SettingText WithFullPath(SettingText value, ModelSettings? begun) =>
        IsRelative(value, begun) ? value with { Items = [Path.GetFullPath(value.Text)] } : value;

    /// <summary>A sentence about each relative path that comes from another machine: relative to what, no node could say.</summary>
    /// <inheritdoc cref="WithFullPath" path="/param"/>
    public static IEnumerable<string> RelativePlaces(IEnumerable<SettingText> values, ModelSettings? begun) => values
        .Where(v => IsRelative(v, begun))
        .Select(v => $"{v.Key} = {v.Text} ({v.Where}): the seed and the workers read it on their machines, so give its full path there, or "
            + "s3://BUCKET/PREFIX");

    private static bool IsRelative(SettingText value, ModelSettings? begun) =>
        value is { Key: InitKey or BaseKey, IsNull: false, IsList: false, Text: { Length: > 0 } place } && !S3Address.Is(place)
        && !Path.IsPathFullyQualified(place) && place != (value.Key == InitKey ? begun?.Init : begun?.InitBase);

    private static string? PlaceIn(IEnumerable<SettingText> values, string key) =>
        values.LastOrDefault(v => v.Key == key) is { IsNull: false, IsList: false, Text: { Length: > 0 } place } ? place : null;

    // The folder of the adapter's model. Hubs' names, as "gpt2", are no folders here, unless there is one.
    private static string NetworkOf(AdapterFolder adapter, string? chosen) =>
        chosen is not null ? Path.GetFullPath(chosen)
        : adapter.NetworkPath is { Length: > 0 } place && Directory.Exists(place) ? Path.GetFullPath(place)
        : throw new ElasticException($"{adapter.Path} is an adapter, and "
            + (adapter.NetworkPath is { Length: > 0 } name ? $"\"{OneLine.Of(name, 200)}\", beside which it was trained, is no folder here"
                : "does not say beside which model it was trained")
            + $": name that model's folder with --init-base DIR ({BaseKey})");

    // Where a person has chosen a tokenizer, one that nobody here knows is that person's matter.
    private static Tokenizer? TokenizerOf(string path, bool isChosen)
    {
        try
        {
            return TokenizerFiles.Recognize(path);
        }
        catch (ElasticException) when (isChosen)
        {
            return null;
        }
    }

    // Whoever trains with GPT-2's tokens alone, as runs of earlier versions did, may do so beside tokens that the folder adds to them.
    private static bool IsLeftTo(SettingText? written, Tokenizer? tokenizer) =>
        written is { IsNull: false, IsList: false, Text: var name } && Tokenizer.IsBuiltIn(name)
        && tokenizer is FileTokenizer file && TokenizerFiles.BeginsWith(file, Tokenizer.Open(name));

    // A tokenizer that needs no file is named by its path, too, where the chat template in its folder is asked for.
    private static IEnumerable<SettingText> Named(Tokenizer? tokenizer, string path, IEnumerable<SettingText> values)
    {
        if (tokenizer is not null)
            yield return new SettingText(
                TokenizerKey, [tokenizer is FileTokenizer || AsksForTemplate(values) ? path : tokenizer.Id], IsList: false,
                $"the tokenizer in {path}");
    }

    private static bool AsksForTemplate(IEnumerable<SettingText> values) =>
        PlaceIn(values, ChatKey) == SettingKind.Word(ChatTemplate.Tokenizer);

    // A config of Elastic's own says it, because a tokenizer need not have such a token.
    private static IEnumerable<SettingText> MaskOf(ModelFolder folder, Tokenizer? tokenizer)
    {
        if (folder.Model.IsMasked && folder.Model.Bert.MaskToken is null && tokenizer is FileTokenizer { MaskToken: { } mask })
            yield return new SettingText(
                MaskKey, [mask.ToString(CultureInfo.InvariantCulture)], IsList: false, $"the tokenizer in {folder.Path}");
    }

    private static string PlaceOfTokenizer(SettingText value) =>
        Path.TrimEndingDirectorySeparator(ElasticSettings.WithFullPath(value).Text);

    private static bool Differs(SettingText written, SettingText decided, string network, string? tokenizer)
    {
        // 0 is no vocabulary of its own.
        if (written.Key == VocabularyKey && written.Text == "0")
            return false;
        // The folder's own tokenizer may be written as the folder was, too, also where it is one that needs no file; and as a run has it
        // that began with the folder.
        if (written.Key == TokenizerKey)
            return written.Text != tokenizer && PlaceOfTokenizer(written) is var place && place != PlaceOfTokenizer(decided)
                && place != Path.TrimEndingDirectorySeparator(network);
        var kind = SettingsSchema.All.Find(written.Key)!.Kind;
        return (kind.Parse(written.Items, written.IsList), kind.Parse(decided.Items, decided.IsList)) switch
        {
            // Of layers that get an adapter; their order says nothing.
            (IReadOnlyList<string> some, IReadOnlyList<string> others) => !some.ToHashSet(StringComparer.Ordinal).SetEquals(others),
            var (one, other) => !Equals(one, other),
        };
    }
}
