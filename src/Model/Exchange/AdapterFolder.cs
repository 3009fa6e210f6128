using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>
/// An adapter by itself, as PEFT keeps it: a folder with adapter_config.json and adapter_model.safetensors. The tensors have the names of
/// the model's layers behind "base_model.model.", A is (rank, in) and B is (out, rank). Opening reads descriptions only.
/// </summary>
public sealed class AdapterFolder : IDisposable
{
    /// <summary>What the adapter is.</summary>
    public const string ConfigName = "adapter_config.json";

    /// <summary>Its weights.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    internal const string Prefix = "base_model.model.";

    /// <summary>The text of the weights' metadata that says beside which weights the adapter was trained.</summary>
    internal const string NetworkText = "base_fingerprint";

    private const int MostListed = 1000;

    private readonly SafetensorsFile _file;

    private AdapterFolder(string path, IReadOnlyList<SettingText> settings, LoraSettings lora, string? networkPath, SafetensorsFile file) =>
        (Path, Settings, Lora, NetworkPath, _file) = (path, settings, lora, networkPath, file);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The model.lora-… keys that adapter_config.json decides; each says where it stands there.</summary>
    public IReadOnlyList<SettingText> Settings { get; }

    /// <summary>Where the model was when the adapter was trained, in the words of the folder; null where it does not say it.</summary>
    public string? NetworkPath { get; }

    /// <summary>Rank, alpha and layers.</summary>
    public LoraSettings Lora { get; }

    /// <summary>The fingerprint of the weights beside which the adapter was trained; null where the folder does not say it.</summary>
    public Digest? Network => _file.Texts.TryGetValue(NetworkText, out var hex) && Digest.IsDigest(hex) ? new Digest(hex) : null;

    /// <summary>True for a folder that holds an adapter, and no whole model.</summary>
    public static bool IsAt(string path) => File.Exists(System.IO.Path.Combine(path, ConfigName))
        && !File.Exists(System.IO.Path.Combine(path, ModelConfig.FileName));

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ElasticException">It holds no adapter, or one that cannot be computed here: every reason, a line each.</exception>
    public static AdapterFolder Open(string path)
    {
        var config = ModelConfig.Read(path, ConfigName, "an adapter", "PEFT's save_pretrained or elastic export --adapter");
        config.Require("peft_type", "none", "LORA");
        config.Require("bias", "none", "none");
        foreach (var other in (string[])["use_rslora", "use_dora", "lora_bias"])
            config.Require(other, false);
        foreach (var other in (string[])
            ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform", "layer_replication", "exclude_modules",
             "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "arrow_config", "use_qalora", "use_bdlora"])
            config.RequireEmpty(other);
        // PiSSA, OLoRA, CorDA, LoftQ and others subtract from the base what A and B begin with: B A belongs beside what is left of it.
        config.RequireFlagOr(
            "init_lora_weights",
            "PEFT changes the model's weights for such a beginning, and beside the unchanged ones the adapter is wrong: save it as a plain "
                + "LoRA with PEFT's save_pretrained(..., path_initial_model_for_weight_conversion=...), which knows pissa, corda and "
                + "olora; or merge it into the model with PEFT's merge_and_unload, and name the folder of that model",
            "gaussian", "eva", "orthogonal");
        var (rank, alpha) = (config.Whole("model.lora-rank", "r", 8), config.Real("model.lora-alpha", "lora_alpha", 8));
        var targets = config.Words("target_modules");
        if (config.Problems.Count > 0)
            throw new ElasticException(string.Join('\n', config.Problems));
        var lora = ModelSettings.Defaults.Lora with
        {
            Rank = ModelConfig.Number(rank),
            Alpha = ModelConfig.RealOf(alpha),
            Targets = targets,
        };
        return lora is { IsUsed: true, Alpha: > 0 and < double.PositiveInfinity }
            ? new AdapterFolder(
                path,
                [rank, alpha, new SettingText("model.lora-targets", [.. targets], IsList: true, $"target_modules in {config.Path}")],
                lora, config.Word("base_model_name_or_path"), SafetensorsFile.Open(System.IO.Path.Combine(path, WeightsName)))
            : throw new ElasticException(
                $"r = {rank.Text}, lora_alpha = {alpha.Text} ({config.Path}): an adapter has a rank of at least 1 and an alpha above 0");
    }

    /// <summary>The model and its adapter, in memory.</summary>
    /// <param name="network">The model beside which the adapter was trained, in this machine's memory.</param>
    /// <param name="model">Settings of the model of <paramref name="network"/>; whether A is frozen is taken from them.</param>
    /// <param name="fingerprint">
    /// Fingerprint of the weights of <paramref name="network"/>; asked for where the folder says which ones they are to be.
    /// </param>
    /// <exception cref="ElasticException">The adapter is of another model: every reason, a line each. Or a weight is no number.</exception>
    public (ReplicaVectors Vectors, ModelSettings Model) Load(ReplicaVectors network, ModelSettings model, Func<Digest> fingerprint)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(fingerprint);
        var (adapted, tensors) = Matched(model, fingerprint);
        var vectors = Adapters.Beside(network, adapted);
        try
        {
            foreach (var parameter in ParametersOf(adapted))
                Read(tensors[parameter.Name], 0, vectors.Floats(
                    VectorSet.Parameters, vectors.Layout[parameter.Name].Offset, (int)parameter.Count));
            return (vectors, adapted);
        }
        catch
        {
            vectors.Dispose();
            throw;
        }
    }

    /// <summary>The model and its adapter, to be read piece by piece.</summary>
    /// <param name="network">The folder of the model beside which the adapter was trained; stays open as long as pieces are read.</param>
    /// <param name="model">Settings of the model of <paramref name="network"/>; whether A is frozen is taken from them.</param>
    /// <returns>
    /// Where each element lies, and what reads so many from one on, as fp32; padding is left as it is. Several threads may read.
    /// </returns>
    /// <exception cref="ElasticException">The adapter is of another model: every reason, a line each.</exception>
    public (FlatLayout Layout, Action<long, Memory<float>> Read) Beside(ModelFolder network, ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(model);
        network.CheckTies();
        var (adapted, tensors) = Matched(model, network.Fingerprint);
        var layout = Architectures.LayoutOf(adapted);
        return (layout, (first, into) =>
        {
            foreach (var (segment, from, count) in layout.PartsOf(first, into.Length))
            {
                var elements = into.Slice((int)(from - first), count).Span;
                if (tensors.TryGetValue(segment.Name, out var tensor))
                    Read(tensor, from - segment.Offset, elements);
                else
                    network.Read(segment.Name, from - segment.Offset, elements);
            }
        }
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>The parameters of a model that are its adapter's, a frozen A included.</summary>
    internal static IReadOnlyList<ParameterSpec> ParametersOf(ModelSettings adapted)
    {
        var network = Architectures.Open(adapted.WithoutAdapters()).Parameters.Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        return [.. Architectures.Open(adapted).Parameters.Where(p => !network.Contains(p.Name))];
    }

    // Which tensor is which parameter of the adapter, once it is known to be this model's.
    private (ModelSettings Adapted, Dictionary<string, TensorEntry> Tensors) Matched(ModelSettings model, Func<Digest> fingerprint)
    {
        var adapted = model with { Lora = Lora with { FreezesA = model.Lora.FreezesA } };
        var (tensors, problems) = Match(ParametersOf(adapted), adapted);
        if (Network is { } trainedBeside && fingerprint() is var found && found != trainedBeside)
            problems.Add($"it was trained beside the weights {trainedBeside.Short}, and the model's are {found.Short}");
        if (problems.Count > 0)
            throw new ElasticException(string.Join('\n',
            [
                $"the adapter in {Path} does not belong to this {model.Signature}: name the model beside which it was trained "
                    + $"({problems.Count} {(problems.Count == 1 ? "problem" : "problems")})",
                .. problems.Order(StringComparer.Ordinal).Take(MostListed),
                .. problems.Count > MostListed ? (string[])[$"and {problems.Count - MostListed} more"] : [],
            ]));
        return (adapted, tensors);
    }

    private (Dictionary<string, TensorEntry> Tensors, List<string> Problems) Match(
        IReadOnlyList<ParameterSpec> parameters, ModelSettings adapted)
    {
        var (specs, tensors) = (parameters.ToDictionary(p => p.Name), new Dictionary<string, TensorEntry>(StringComparer.Ordinal));
        var (problems, format) = (new List<string>(), ModelFormats.All.FirstOrDefault(f => f.Fits(adapted.WithoutAdapters())));
        foreach (var tensor in _file.Tensors)
        {
            var name = tensor.Name.StartsWith(Prefix, StringComparison.Ordinal) ? tensor.Name[Prefix.Length..] : tensor.Name;
            if (!specs.TryGetValue(format?.ParameterOf(name) ?? name, out var parameter))
                problems.Add($"{OneLine.Of(tensor.Name, 120)} is no adapter of this model");
            else if (!tensor.Shape.SequenceEqual(parameter.Shape))
                problems.Add($"{tensor.Name} has the shape [{string.Join(", ", tensor.Shape)}], and beside this model's layer it is "
                    + $"[{string.Join(", ", parameter.Shape)}]");
            else if (TensorType.Find(tensor.Type) is null)
                problems.Add($"{tensor.Name} is {tensor.Type}, and only F32, BF16 and F16 are read");
            else if (!tensors.TryAdd(parameter.Name, tensor))
                problems.Add($"{tensor.Name} and {tensors[parameter.Name].Name} are the same parameter");
        }
        // One of a wrong shape is not missing.
        var present = _file.Tensors.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        problems.AddRange(parameters.Where(p => !tensors.ContainsKey(p.Name) && !present.Contains(Prefix + p.Name))
            .Select(p => $"{Prefix}{p.Name} is missing: [{string.Join(", ", p.Shape)}]"));
        return (tensors, problems);
    }

    private void Read(TensorEntry tensor, long first, Span<float> into)
    {
        _file.Read(tensor, first, into);
        if (NarrowFloats.FirstNotFinite(ElementType.Float32, into) is var bad and >= 0)
            throw new ElasticException(
                $"element {first + bad} of {tensor.Name} in {_file.Path} is {into[bad]}, no finite number: get the file again");
    }
}
