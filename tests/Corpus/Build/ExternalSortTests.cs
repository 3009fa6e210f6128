using CsCheck;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public class ExternalSortTests
{
    [Fact]
    public void Records_come_in_order_however_few_fit_into_memory_and_no_file_stays() =>
        Gen.Select(Gen.Long.Array[0, 200], Gen.Int[1, 64]).Sample((values, perRun) =>
        {
            using var folder = new TemporaryFolder();
            using (var sort = new ExternalSort<long>(folder.Path, (a, b) => a.CompareTo(b), perRun * sizeof(long)))
            {
                foreach (var value in values)
                    sort.Add(value);
                Assert.Equal(values.Order(), sort.Sorted());
            }
            Assert.Empty(Directory.GetFiles(folder.Path));
        }, iter: 50);

    [Fact]
    public void What_does_not_fit_into_memory_is_all_on_the_disk_while_it_is_read()
    {
        using var folder = new TemporaryFolder();
        using var sort = new ExternalSort<long>(folder.Path, (a, b) => a.CompareTo(b), runBytes: 4 * sizeof(long));
        foreach (var value in Enumerable.Range(0, 10))
            sort.Add(value);
        using var sorted = sort.Sorted().GetEnumerator();
        Assert.True(sorted.MoveNext());
        Assert.Equal([2 * sizeof(long), 4 * sizeof(long), 4 * sizeof(long)],
            Directory.GetFiles(folder.Path).Select(path => new FileInfo(path).Length).Order());
    }
}
