using CsCheck;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public class ExternalSortTests
{
    [Fact]
    public void Records_come_in_order_however_few_fit_into_memory_and_are_merged_at_once_and_no_file_stays() =>
        Gen.Select(Gen.Long.Array[0, 200], Gen.Int[1, 64], Gen.Int[2, 9]).Sample((values, perRun, mostMerged) =>
        {
            using var folder = new TemporaryFolder();
            using (var sort = Sort(folder, perRun, mostMerged))
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
        using var sort = Sort(folder, perRun: 4);
        foreach (var value in Enumerable.Range(0, 10))
            sort.Add(value);
        using var sorted = sort.Sorted().GetEnumerator();
        Assert.True(sorted.MoveNext());
        Assert.Equal([2 * sizeof(long), 4 * sizeof(long), 4 * sizeof(long)],
            Directory.GetFiles(folder.Path).Select(path => new FileInfo(path).Length).Order());
    }

    // 25 runs of a record: 3 become 1 eleven times.
    [Fact]
    public void Of_many_runs_few_are_left_before_the_first_record_comes()
    {
        using var folder = new TemporaryFolder();
        using var sort = Sort(folder, perRun: 1, mostMerged: 3);
        foreach (var value in Enumerable.Range(0, 25))
            sort.Add(value);
        Assert.Equal(24, Directory.GetFiles(folder.Path).Length);
        using var sorted = sort.Sorted().GetEnumerator();
        Assert.True(sorted.MoveNext());
        Assert.Equal((3, 25 * sizeof(long)), (
            Directory.GetFiles(folder.Path).Length, Directory.GetFiles(folder.Path).Sum(path => new FileInfo(path).Length)));
    }

    [Fact]
    public void It_stops_where_it_is_told_to_and_no_file_stays()
    {
        using var folder = new TemporaryFolder();
        using (var cancel = new CancellationTokenSource())
        using (var sort = new ExternalSort<long>(folder.Path, (a, b) => a.CompareTo(b), cancel.Token, sizeof(long), mostMerged: 2))
        {
            for (var value = 0; value < 9; value++)
                sort.Add(value);
            using var sorted = sort.Sorted().GetEnumerator();
            Assert.True(sorted.MoveNext());
            cancel.Cancel();
            Assert.Throws<OperationCanceledException>(() => sorted.MoveNext());
            Assert.Throws<OperationCanceledException>(() => sort.Add(9));
        }
        // Also while runs are joined, before there is a first record.
        using (var cancel = new CancellationTokenSource())
        using (var sort = new ExternalSort<long>(folder.Path, (a, b) => a.CompareTo(b), cancel.Token, sizeof(long), mostMerged: 2))
        {
            for (var value = 0; value < 9; value++)
                sort.Add(value);
            cancel.Cancel();
            Assert.Throws<OperationCanceledException>(() => sort.Sorted());
        }
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static ExternalSort<long> Sort(TemporaryFolder folder, int perRun, int mostMerged = ExternalSort<long>.DefaultMostMerged) =>
        new(folder.Path, (a, b) => a.CompareTo(b), CancellationToken.None, perRun * sizeof(long), mostMerged);
}
