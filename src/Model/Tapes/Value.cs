namespace Elastic.Model.Tapes;

/// <summary>What an operation makes: a matrix of activations.</summary>
/// <param name="producer">The operation.</param>
public sealed class Value(Operation producer, int rows, int columns)
{
    /// <summary>The operation that makes it.</summary>
    public Operation Producer { get; } = producer;

    /// <summary>N: a row for each token, or for each token of the sources.</summary>
    public int Rows { get; } = rows;

    /// <summary>Channels.</summary>
    public int Columns { get; } = columns;

    /// <summary>Elements.</summary>
    public long Count => (long)Rows * Columns;
}
