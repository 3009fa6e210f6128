namespace Elastic.Model.Vectors;

/// <summary>
/// A parameter as its architecture declares it. Layout, initialisation, optimizer group and names in files follow from the list.
/// </summary>
/// <param name="Name">Hugging Face's name, e.g. "transformer.h.0.attn.c_attn.weight".</param>
/// <param name="Shape">Row-major.</param>
/// <param name="Decays">True when weight decay applies.</param>
/// <param name="Init">The values before the first step.</param>
public sealed record ParameterSpec(string Name, IReadOnlyList<long> Shape, bool Decays, ParameterInit Init)
{
    /// <summary>False for a frozen parameter: it is part of the vector, and no step changes it.</summary>
    public bool IsTrained { get; init; } = true;

    /// <summary>The parameter of which this one is another name; null for one with elements of its own.</summary>
    public string? TiedTo { get; init; }

    /// <summary>Rows for which the vector has room, so that products over them are aligned. Rows beyond the shape stay zero.</summary>
    public long? PaddedRows { get; init; }

    /// <summary>The adapter whose A this is; null for any other parameter.</summary>
    public Adapter? Adapter { get; init; }

    /// <summary>The axis that devices may share; null where each has the whole parameter.</summary>
    public SharedAxis? Shared { get; init; }

    /// <summary>Elements of the tensor.</summary>
    public long Count => Product(Shape);

    /// <summary>Elements of the parameter in the vector: its own and those of padded rows.</summary>
    public long Room => PaddedRows is { } rows ? rows * Product(Shape.Skip(1)) : Count;

    /// <summary>
    /// Hidden matrices that lie in it, side by side along its columns: 1 for a matrix that maps activations to activations, 3 for the
    /// packed projections to queries, keys and values. 0 for all others: embeddings, heads, gains, biases. Muon updates hidden matrices.
    /// </summary>
    public int HiddenMatrices { get; init; }

    /// <summary>Another name of this parameter.</summary>
    public ParameterSpec As(string name) => this with { Name = name, TiedTo = Name };

    private static long Product(IEnumerable<long> sizes) => sizes.Aggregate(1L, (product, n) => product * n);
}

/// <summary>A parameter's values before the first step.</summary>
public abstract record ParameterInit
{
    /// <summary>All elements have one value.</summary>
    public sealed record Constant(float Value) : ParameterInit;

    /// <summary>Drawn from a normal distribution around zero.</summary>
    public sealed record Normal(double Deviation) : ParameterInit;
}
