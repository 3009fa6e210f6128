namespace Elastic.Kernels;

/// <summary>
/// A sum along <see cref="SumTree"/> of values that come in the order of their indices. It holds one value for each bit of the number of
/// indices so far, and not all of them.
/// </summary>
/// <param name="add">Adds two sums, the one of the lower indices first.</param>
public sealed class RunningSum<T>(Func<T, T, T> add)
{
    // Of finished subtrees, whose sizes fall.
    private readonly Stack<(int Count, T Sum)> _subtrees = [];

    /// <summary>Adds the sum of the next indices.</summary>
    /// <param name="count">
    /// How many they are: as many as those of every sum before, a power of two; the last one may have fewer.
    /// </param>
    public void Add(int count, T sum)
    {
        while (_subtrees.TryPeek(out var left) && left.Count == count)
            (count, sum) = (2 * count, add(_subtrees.Pop().Sum, sum));
        _subtrees.Push((count, sum));
    }

    /// <summary>The sum of all of them.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public T End()
    {
        var (_, sum) = _subtrees.Pop();
        while (_subtrees.TryPop(out var left))
            sum = add(left.Sum, sum);
        return sum;
    }
}
