using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Nodes;
using Elastic.Actors.Work;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>Runs that are deleted and opened anew at once.</summary>
public sealed class RunOpenerSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_run_that_is_opened_anew_keeps_its_folder_and_an_opening_that_fails_is_answered_after_those_before_it()
    {
        using var fetcher = new BlobFetcher(new Peers(), Transport.Plain);
        var paths = new DataPaths(Folder);
        var opener = new RunOpener(LoneNode.Of(paths, fetcher), NoLogger.Instance);
        var open = new NodeCommand.OpenRun(new RunId("tiny-3k9v2mq7"))
        {
            Number = new OrderId(1, 1),
            Settings = "",
            Corpus = Digest.Of("a corpus that is nowhere"u8),
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        };
        Assert.Contains("is not on this node", (await opener.OpenAsync(open)).Why, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(paths.Blobs(open.RunId), "old"), "");

        var (deleting, again) = (opener.Close(open.RunId), opener.OpenAsync(open));
        Assert.False(again.IsCompleted);
        await using var system = new Ended(ActorSystem.Create("opener"));
        var store = system.Of.ActorOf(Props.Create(() => new BlobWorkActor()));
        store.Tell(deleting);
        Assert.Contains("is not on this node", (await WithinAsync(again)).Why, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(paths.Blobs(open.RunId)));

        deleting = opener.Close(open.RunId);
        Directory.Delete(paths.Run(open.RunId), recursive: true);
        File.WriteAllText(paths.Run(open.RunId), "in the way of the folder");
        var failed = opener.OpenAsync(open);
        Assert.False(failed.IsCompleted);
        store.Tell(deleting);
        Assert.NotNull((await WithinAsync(failed)).Why);
    }

    private static Task<RunOpened> WithinAsync(Task<RunOpened> opening) =>
        opening.WaitAsync(Deadline, TestContext.Current.CancellationToken);

    private sealed record Ended(ActorSystem Of) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await Of.Terminate();
    }
}
