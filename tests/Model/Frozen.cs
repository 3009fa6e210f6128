using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>A product's architecture, some of whose parameters are not trained.</summary>
internal sealed class Frozen(ModelSettings model, Func<string, bool> isFrozen) : IArchitecture
{
    private readonly IArchitecture _inner = Architectures.Open(model);

    public ModelSettings Model => model;

    public string Signature => _inner.Signature;

    public int Context => _inner.Context;

    public int Vocabulary => _inner.Vocabulary;

    public IReadOnlyList<ParameterSpec> Parameters => [.. _inner.Parameters.Select(p => p with { IsTrained = !isFrozen(p.Name) })];

    public IBatching Batching => _inner.Batching;

    public void Record(Tape tape) => _inner.Record(tape);
}
