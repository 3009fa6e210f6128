using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>
/// A network whose parameters are frozen, with trained low-rank adapters beside some of its linear layers (Hu et al. 2021, section 4.1).
/// A starts from N(0, 1/rank), as PEFT's "gaussian", and B from zero, so that the first step starts from the network as it is.
/// </summary>
internal sealed class LoraArchitecture : IArchitecture
{
    private const string Weight = ".weight";

    private readonly IArchitecture _network;

    /// <exception cref="ElasticException">A target is the name of no linear layer.</exception>
    public LoraArchitecture(IArchitecture network, LoraSettings lora)
    {
        _network = network;
        var layers = LayersOf(network);
        IReadOnlyList<string> targets = lora.Targets.Count > 0 ? lora.Targets : network.AdapterTargets;
        if (targets.Count == 0)
            throw new ElasticException(
                "model.lora-targets: say which layers get an adapter; this model has "
                + string.Join(", ", layers.Select(l => LastOf(NameOf(l))).Distinct()));
        if (targets.FirstOrDefault(t => !layers.Exists(l => IsCalled(NameOf(l), t))) is { } unknown)
            throw new ElasticException(
                $"model.lora-targets: no linear layer of this model is called \"{unknown}\"; use "
                + string.Join(", ", layers.Select(l => LastOf(NameOf(l))).Distinct()));
        var specs = network.Parameters.ToDictionary(p => p.Name);
        Parameters =
        [
            .. layers.Where(l => targets.Any(t => IsCalled(NameOf(l), t))).SelectMany(l => AdapterOf(l, specs[l.Weight], lora)),
            .. network.Parameters.Select(p => p with { IsTrained = false }),
        ];
    }

    /// <inheritdoc/>
    public string Signature => _network.Signature;

    /// <inheritdoc/>
    public int Context => _network.Context;

    /// <inheritdoc/>
    public int SourceContext => _network.SourceContext;

    /// <inheritdoc/>
    public int CacheableTokens => _network.CacheableTokens;

    /// <inheritdoc/>
    public int Vocabulary => _network.Vocabulary;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <inheritdoc/>
    public bool Supports(TrainingPrecision precision) => _network.Supports(precision);

    /// <inheritdoc/>
    public IBatching Batching => _network.Batching;

    /// <inheritdoc/>
    public IReadOnlyList<string> AdapterTargets => _network.AdapterTargets;

    /// <inheritdoc/>
    /// <remarks>The operator of linear layers finds the adapters in the tape's layout.</remarks>
    public void Record(Tape tape) => _network.Record(tape);

    // Which layers there are, and which way their weights lie, is written down in the network and nowhere else.
    private static List<LinearOperation> LayersOf(IArchitecture network)
    {
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 1, 1), new FlatLayout(network.Parameters));
        network.Record(tape);
        return [.. tape.Operations.OfType<LinearOperation>().DistinctBy(l => l.Weight)];
    }

    private static IEnumerable<ParameterSpec> AdapterOf(LinearOperation layer, ParameterSpec weight, LoraSettings lora)
    {
        var (inputs, outputs) = layer.Order == WeightOrder.InOut ? (0, 1) : (1, 0);
        var name = NameOf(layer);
        // What devices share of the layer they share of its adapter.
        SharedAxis? Of(int axis, int own) => weight.Shared is { } shared && shared.Axis == axis ? shared with { Axis = own } : null;
        yield return new ParameterSpec(
            Adapter.A(name) + Weight, [lora.Rank, weight.Shape[inputs]], true, new ParameterInit.Normal(1.0 / lora.Rank))
        {
            Adapter = new Adapter(lora.Scale, layer.Order == WeightOrder.OutIn),
            IsTrained = !lora.FreezesA,
            Shared = Of(inputs, 1),
        };
        yield return new ParameterSpec(
            Adapter.B(name) + Weight, [weight.Shape[outputs], lora.Rank], true, new ParameterInit.Constant(0))
        {
            Shared = Of(outputs, 0),
        };
    }

    private static string NameOf(LinearOperation layer) => layer.Weight[..^Weight.Length];

    private static string LastOf(string name) => name[(name.LastIndexOf('.') + 1)..];

    private static bool IsCalled(string name, string target) => name == target || name.EndsWith("." + target, StringComparison.Ordinal);
}
