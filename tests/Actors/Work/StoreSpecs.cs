using System.Collections.Concurrent;
using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Actors.Tests.Corpora;
using Elastic.Actors.Tests.Nodes;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Work;

/// <summary>What of a node's work on blobs waits for what, and what does not.</summary>
public sealed class StoreSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly RunId Run = new("tiny-3k9v2mq7");

    private readonly BlockingCollection<object> _said = [];

    [Fact]
    public async Task A_survey_is_answered_while_a_copy_waits_for_bytes_of_another_node()
    {
        var paths = new DataPaths(Folder);
        paths.MakeCorpora();
        var corpus = OneText.Build(paths.Corpus(Digest.Of("a corpus"u8)));
        // Nobody is known who could be asked, and somebody may come.
        using var fetcher = new BlobFetcher(new Peers(new TransferLimits { Patience = TimeSpan.FromHours(1) }), Transport.Plain);
        await using var system = new Ended(ActorSystem.Create("node", AkkaSettings.ForDevices(paths)));
        var agent = system.Of.ActorOf(NodeAgent.Props(LoneNode.Of(paths, fetcher)));
        agent.Tell(new NodeAgent.Link(system.Of.ActorOf(Props.Create(() => new Heard(_said)))));
        agent.Tell(new NodeCommand.OpenRun(Run)
        {
            Number = new OrderId(1, 1),
            Settings = SettingsText.Write(TinySettings.Of("tiny")),
            Corpus = corpus.Id,
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        });
        var missing = Digest.Of("no node has it"u8);
        agent.Tell(new WorkOrder
        {
            Job = Run.Job,
            Id = new OrderId(1, 2),
            Key = CopyWork.KeyOf(0, 0),
            From = null,
            Sources = [],
            Part = Part.Whole,
            Content = new Copy(missing),
        });
        agent.Tell(new NodeCommand.Survey(Run, new OrderId(2, 1), [missing], Part.Whole));
        var answer = Next<NodeReport.Surveyed>();
        Assert.Equal((new OrderId(2, 1), 0), (answer.Number, answer.Intact.Length));
    }

    [Fact]
    public async Task Folders_of_deleted_runs_go_while_the_work_of_another_one_takes_its_time_to_end()
    {
        await using var system = new Ended(ActorSystem.Create("store"));
        var store = system.Of.ActorOf(Props.Create(() => new BlobWorkActor()));
        var closing = new TaskCompletionSource();
        var (slow, quick) = (Delete("slow", closing.Task), Delete("quick", Task.CompletedTask));
        store.Tell(slow);
        store.Tell(quick);
        await quick.Gone.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Assert.False(Directory.Exists(quick.Folder));
        Assert.True(Directory.Exists(slow.Folder));
        closing.SetException(new IOException("what was at work has failed"));
        await slow.Gone.Task.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Assert.False(Directory.Exists(slow.Folder));

        DeleteFolder Delete(string name, Task after) =>
            new(Run, Directory.CreateDirectory(Path.Combine(Folder, name)).FullName, after);
    }

    [Fact]
    public void A_retention_that_was_ordered_before_a_survey_and_comes_after_it_frees_nothing_that_the_survey_found()
    {
        var sets = new SurveyedSets();
        Digest Set(int number) => Digest.Of([(byte)number]);
        Digest[] Kept(long number) => sets.Retain(new OrderId(1, number), [Set(1)], keep => keep.ToArray());

        Assert.Equal([Set(1)], Kept(1));
        sets.Note(new OrderId(1, 3), [Set(2)]);
        sets.Note(new OrderId(1, 3), [Set(3)]);
        sets.Note(new OrderId(1, 2), [Set(4)]);                        // an older one, whose answer counts for nothing
        Assert.Equivalent(new[] { Set(1), Set(2), Set(3) }, Kept(2), strict: true);
        Assert.Equal([Set(1)], Kept(4));
        sets.Note(new OrderId(2, 1), [Set(5)]);
        Assert.Equal([Set(1), Set(5)], Kept(4));
    }

    private T Next<T>()
    {
        while (true)
        {
            Assert.True(_said.TryTake(out var message, Deadline), $"a {typeof(T).Name}");
            if (message is T wanted)
                return wanted;
            Assert.IsNotType<NodeReport.RunUnopened>(message);
        }
    }

    private sealed class Heard(BlockingCollection<object> said) : UntypedActor
    {
        protected override void OnReceive(object message) => said.Add(message);
    }

    private sealed record Ended(ActorSystem Of) : IAsyncDisposable
    {
        // A test that fails leaves work that does not end.
        public async ValueTask DisposeAsync() => await Of.Terminate().WaitAsync(Deadline, CancellationToken.None);
    }
}
