using Xunit.Sdk;
using Xunit.v3;

namespace Elastic.Testing;

/// <summary>
/// Starts the test classes that take longest first, so that none of them runs alone at the end; the others follow by their names.
/// </summary>
/// <param name="longest">Full names of classes, the longest first.</param>
public abstract class FirstCollections(params string[] longest) : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(Rank).ThenBy(c => c.TestCollectionDisplayName, StringComparer.Ordinal)];

    private int Rank<TTestCollection>(TTestCollection collection) where TTestCollection : ITestCollection
    {
        var rank = Array.FindIndex(longest, name => collection.TestCollectionDisplayName.Contains(name, StringComparison.Ordinal));
        return rank < 0 ? longest.Length : rank;
    }
}
