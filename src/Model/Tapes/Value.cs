namespace Elastic.Model.Tapes;

/// <summary>What an operation makes: a matrix of activations.</summary>
/// <param name="producer">The operation.</param>
public sealed class Value(Operation producer, int rows, int columns)
{
    /// <summary>The operation that makes it.</summary>
    public Operation Producer { get; } = producer;

    /// <summary>N: a row for each token, or for each token of the sources; of a rank's share its own rows.</summary>
    public int Rows { get; } = rows;

    /// <summary>Channels; of a rank's share its own columns.</summary>
    public int Columns { get; } = columns;

    /// <summary>Elements.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>Which of all rows is the first.</summary>
    public int FirstRow { get; private init; }

    /// <summary>The rows of all ranks together.</summary>
    public int AllRows { get; private init; } = rows;

    /// <summary>A matrix with the rows and columns of another.</summary>
    internal static Value Like(Operation producer, Value x)
        => new(producer, x.Rows, x.Columns) { FirstRow = x.FirstRow, AllRows = x.AllRows };

    /// <summary>A rank's rows of a matrix; all of them where there are no ranks.</summary>
    internal static Value RowsOf(Operation producer, TensorShare? share, int rows, int columns)
    {
        var (first, count) = share?.RowsOf(rows) ?? (0, rows);
        return new Value(producer, count, columns) { FirstRow = first, AllRows = rows };
    }
}
