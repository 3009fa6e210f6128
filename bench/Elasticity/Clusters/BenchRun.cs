using System.Globalization;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>The run that a benchmark disturbs: long enough that it never ends.</summary>
internal sealed record BenchRun(int Replicas, int InnerSteps)
{
    public const string Name = "bench";

    public int Layers { get; init; } = 4;

    public int Width { get; init; } = 128;

    public int Heads { get; init; } = 4;

    public int Context { get; init; } = 64;

    /// <summary>Sequences in an inner step, all in one micro-batch, so that a replica takes one device and others stay free.</summary>
    public int Sequences { get; init; } = 4;

    public int Vocabulary { get; init; } = 257;

    /// <summary>Parameters of the model, a GPT-2 whose head is its embedding.</summary>
    public long Parameters => Layers * ((12L * Width * Width) + (13 * Width)) + (2 * Width) + ((long)(Vocabulary + Context) * Width);

    /// <summary>As text of a configuration file.</summary>
    public string Configuration => string.Create(CultureInfo.InvariantCulture, $$"""
        run { name = {{Name}}, replicas = {{Replicas}}, inner-steps = {{InnerSteps}}, rounds = 1000000 }
        batch { sequences = {{Sequences}}, micro = {{Sequences}} }
        model { layers = {{Layers}}, heads = {{Heads}}, width = {{Width}}, context = {{Context}}, vocabulary = {{Vocabulary}} }
        optimizer { learning-rate = 1e-4, minimum-learning-rate = 1e-4, schedule = constant, warmup-steps = 0 }
        corpus { tokenizer = byte }
        checkpoint { every-rounds = 1000000, keep = 1 }
        evaluation { every-rounds = 1000000, sequences = 1 }
        """);

    public override string ToString() =>
        $"{Replicas} replicas x {InnerSteps} steps of {Sequences} x {Context} tokens, {Layers} layers x {Width}, vocabulary {Vocabulary}";
}
