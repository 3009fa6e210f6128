using System.Security.Cryptography;
using System.Text;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCaseOrderer(typeof(Elastic.Tests.CasesByName))]
#if !ORDERS_COLLECTIONS
[assembly: TestCollectionOrderer(typeof(Elastic.Tests.CollectionsByName))]
#endif

namespace Elastic.Tests;

// In each test project. xunit's own order depends on the folder that a test program lies in: what one test leaves behind in its process
// could fail another one on one machine only. Here it is the order of the names, everywhere; ELASTIC_TEST_ORDER=WORD gives each word an
// order of its own, for who looks for tests that depend on it.
file static class ByName
{
    private static readonly string Word = Environment.GetEnvironmentVariable("ELASTIC_TEST_ORDER") ?? "";

    public static IReadOnlyCollection<T> Order<T>(IEnumerable<T> all, Func<T, string> name) => [.. all.OrderBy(
        each => Word.Length == 0 ? name(each) : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Word + name(each)))),
        StringComparer.Ordinal)];
}

file sealed class CasesByName : ITestCaseOrderer
{
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase => ByName.Order(testCases, c => c.TestCaseDisplayName);
}

#if !ORDERS_COLLECTIONS
file sealed class CollectionsByName : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => ByName.Order(testCollections, c => c.TestCollectionDisplayName);
}
#endif
