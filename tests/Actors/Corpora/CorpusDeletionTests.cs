using Elastic.Actors.Control;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Corpora;

public sealed class CorpusDeletionTests
{
    private static readonly Digest Books = new(new string('a', 64)), Web = new("ab" + new string('c', 62));

    [Fact]
    public void It_is_refused_with_the_names_of_what_needs_the_corpus()
    {
        var (done, goes) = (Run("done", Books, isFinished: true), Run("goes", Books));
        Assert.Equal(
            "the corpus aaaaaaaaaaaa is needed by the runs goes, too: wait until they are finished, or delete them first: pbm run delete "
            + "-n goes", CorpusDeletion.Refusal(Books, [done, goes, Run("other", Web), Run("too", Books)], []));
        Assert.Equal(
            "the build pile-3k9v2mq7 goes on, and may make the corpus aaaaaaaaaaaa: wait, or stop it first: pbm corpus stop -b "
            + "pile-3k9v2mq7", CorpusDeletion.Refusal(Books, [done], ["pile-3k9v2mq7"]));
        Assert.StartsWith(
            "the journal of run torn cannot be read, so that nobody knows",
            CorpusDeletion.Refusal(Books, [done, new StoredRun(new("torn-1"), new("torn"), null, "it is damaged")], []),
            StringComparison.Ordinal);
        Assert.Null(CorpusDeletion.Refusal(Books, [done, Run("other", Web)], []));
    }

    [Fact]
    public void It_is_named_by_a_run_or_by_the_beginning_of_its_id()
    {
        StoredRun[] runs = [Run("books", Books, isFinished: true)];
        Assert.Equal(Books, CorpusDeletion.Find("books", runs, []));
        Assert.Equal(Books, CorpusDeletion.Find("aaaa", runs, [Books, Web]));
        Assert.Equal(Web, CorpusDeletion.Find("ABCC", runs, [Web]));
        Assert.Equal(Web, CorpusDeletion.Find(Web.Hex, [], []));
        Assert.Equal("no corpus of this seed or of a run begins with aaa, and no run has that name: there are aaaaaaaaaaaa; give at least "
            + "4 digits", Assert.Throws<NotFoundException>(() => CorpusDeletion.Find("aaa", runs, [])).Message);
        var near = new Digest("aaaa" + new string('0', 60));
        Assert.Equal("several corpora begin with aaaa: aaaa00000000, aaaaaaaaaaaa; give more digits",
            Assert.Throws<ElasticException>(() => CorpusDeletion.Find("aaaa", runs, [near])).Message);
    }

    private static StoredRun Run(string name, Digest corpus, bool isFinished = false)
    {
        var id = new RunId($"{name}-1");
        return new StoredRun(id, new RunName(name), RunState.Empty(id) with
        {
            Name = new RunName(name),
            Settings = "{}",
            Corpus = corpus,
            IsFinished = isFinished,
        }, null);
    }
}
