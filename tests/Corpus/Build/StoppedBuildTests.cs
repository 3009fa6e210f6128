using System.Collections.Concurrent;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

/// <summary>A build that is told to stop does so wherever it is, and not at the end of a file or of a stage.</summary>
public sealed class StoppedBuildTests : IDisposable
{
    // After these nothing is left that grows with the documents.
    private static readonly string[] Last = ["datasheet.md", "datasheet.html", "makes it visible"];

    private readonly BuiltFolders _folders = new();
    private readonly BuildManifest _manifest;

    public StoppedBuildTests()
    {
        var words = string.Join(' ', Enumerable.Range(0, 60).Select(i => $"word{i}"));
        // Ten and their near and exact copies.
        var source = _folders.Texts("in.jsonl", Enumerable.Range(0, 40).Select(i => $"{i % 10} {words} {i % 20} {i % 10}"));
        _manifest = Manifests.Of([("in", source)], "clean", "exact-duplicates", "near-duplicates");
    }

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_build_takes_no_further_document_and_leaves_nothing_half_built_wherever_it_is_told_to_stop()
    {
        var all = Steps("all", null, CancellationToken.None);
        var names = all.Distinct().Except(Last).ToList();
        Assert.Equal(
            [
                "lists its sources", "reads", "clean", "exact-duplicates", "near-duplicates", "keeps a piece",
                "decides: exact-duplicates", "decides: near-duplicates", "writes",
            ], names);
        foreach (var name in names)
        {
            using var cancel = new CancellationTokenSource();
            var taken = Steps(name, step =>
            {
                if (step == name)
                    cancel.Cancel();
            }, cancel.Token);
            Assert.Equal(name, taken[^1]);
            Assert.Single(taken, step => step == name);
        }
    }

    // All steps that were taken; one that was stopped says so.
    private List<string> Steps(string folder, Action<string>? at, CancellationToken cancel)
    {
        var taken = new ConcurrentQueue<string>();
        void Take(string step)
        {
            taken.Enqueue(step);
            at?.Invoke(step);
        }

        var (pieces, texts) = (_folders[$"{folder}-pieces"], _folders[$"{folder}-texts"]);
        var builder = new CorpusBuilder(_manifest, new PieceStore(pieces, Take), texts) { Step = Take };
        if (at is null)
            builder.Run(1, null, cancel);
        else
            Assert.ThrowsAny<OperationCanceledException>(() => builder.Run(1, null, cancel));
        Assert.Equal(at is null, Directory.Exists(texts) && Directory.EnumerateFileSystemEntries(texts).Any());
        Assert.DoesNotContain(Directory.GetFiles(pieces), path => path.EndsWith(".tmp", StringComparison.Ordinal));
        return [.. taken];
    }
}
