using System.Text.Json.Nodes;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Actors.Tests.Corpora;
using Elastic.Corpus;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Nodes;

public sealed class CorpusKeeperSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_late_failure_of_what_was_finished_earlier_does_not_keep_the_whole_corpus_from_being_fetched()
    {
        var whole = OneText.Build(Path.Combine(Folder, "corpus"));
        var text = JsonNode.Parse(File.ReadAllBytes(whole.ManifestPath))!;
        text["isGrowing"] = true;
        var growing = BuiltCorpus.Receive(
            Path.Combine(Folder, "growing"), whole.Id, System.Text.Encoding.UTF8.GetBytes(text.ToJsonString()));
        Assert.True(growing.IsGrowing);

        var asked = new Asked();
        using var system = ActorSystem.Create("keeper");
        var keeper = system.ActorOf(CorpusKeeperActor.Props(asked.CompleteAsync));
        keeper.Tell(growing);
        keeper.Tell(whole);
        keeper.Tell(growing);                                          // another run of it was opened
        await asked.UntilAsync(2);
        asked.Fail(1);
        asked.Fail(0);
        await asked.UntilAsync(3);
        Assert.Equal([growing, whole, whole], asked.Corpora);
        await system.Terminate();
    }

    private sealed class Asked
    {
        private readonly List<(BuiltCorpus Corpus, TaskCompletionSource Done)> _all = [];

        public IEnumerable<BuiltCorpus> Corpora
        {
            get
            {
                lock (_all)
                    return [.. _all.Select(a => a.Corpus)];
            }
        }

        public Task CompleteAsync(BuiltCorpus corpus, CancellationToken cancel)
        {
            var done = new TaskCompletionSource();
            lock (_all)
                _all.Add((corpus, done));
            return done.Task;
        }

        public void Fail(int number) => _all[number].Done.SetException(new IOException("no node has it"));

        public Task UntilAsync(int count) => new Wait(Deadline, TimeSpan.FromMilliseconds(10)).UntilAsync(
            $"{count} were asked for", () => Task.FromResult(Corpora.Count() >= count), () => "");
    }
}
