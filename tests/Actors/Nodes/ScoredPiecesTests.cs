using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Model.Evaluation;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>What the asker of an evaluation does while nobody answers.</summary>
public sealed class ScoredPiecesTests : TemporaryFolder
{
    private static readonly RunId Job = new("eval-a-1");

    private readonly List<string> _said = [];

    // As while this process joins the cluster again: the question is refused at once.
    [Fact]
    public async Task An_evaluation_whose_supervisors_are_away_goes_on_where_it_was_and_says_what_it_waits_for()
    {
        var (asked, ended) = (new List<int>(), false);
        using var asker = new JobAsker<EvaluationView>(
            (request, _, _) =>
            {
                ended |= request is EvaluationRequest.End;
                if (request is EvaluationRequest.Score { First: var first })
                    asked.Add(first);
                return asked.Count is 2 or 3 || ended
                    ? throw new UnavailableException("this process is just joining the cluster again")
                    : Task.FromResult(Score((EvaluationRequest.Score)request));
            }, new BlobLocations(), Path.Combine(Folder, "job"), new EvaluationRequest.End(Job), _said.Add);
        var scored = new ScoredPieces(asker, new RunName("a"), Request, [], new Lines(_said));
        List<double> nats = [];
        await foreach (var piece in scored.RunAsync([[Row], [Row, Row], [Row]], TestContext.Current.CancellationToken))
            nats.AddRange(piece);
        Assert.Equal([0, 1, 2, 3], nats);
        Assert.Equal([0, 1, 1, 1, 2], asked);
        Assert.Equal(["waits for the supervisors: this process is just joining the cluster again"], _said);

        await asker.EndAsync();
        Assert.True(ended);
    }

    // Those that were to score may be gone before they have, and the others may have another arithmetic.
    [Fact]
    public async Task The_arithmetic_of_an_answer_counts_only_with_its_scores()
    {
        var asked = new List<string?>();
        using var asker = new JobAsker<EvaluationView>(
            (request, _, _) =>
            {
                if (request is not EvaluationRequest.Score score)
                    return Task.FromResult(Score(Request));
                asked.Add(score.Arithmetic);
                return Task.FromResult(asked.Count == 1 ? Score(score) with { Scores = [], Arithmetic = "other" } : Score(score));
            }, new BlobLocations(), Path.Combine(Folder, "job"), new EvaluationRequest.End(Job), _said.Add);
        var scored = new ScoredPieces(asker, new RunName("a"), Request, [], new Lines(_said));
        await foreach (var _ in scored.RunAsync([[Row], [Row, Row]], TestContext.Current.CancellationToken))
        {
        }

        Assert.Equal([null, null, "a"], asked);
    }

    private static ScoredRow Row => new(new[] { 1, 2 }, 1);

    private static EvaluationRequest.Score Request => new(Job)
    {
        Origin = Origins.Now("a test"),
        Settings = "",
        Corpus = Digest.Of([1]),
        Manifest = Digest.Of([2]),
        Parameters = Digest.Of([3]),
        Source = "127.0.0.1:80",
        Arithmetic = null,
        First = 0,
        Pieces = [],
        Rows = [],
    };

    // The first of the pieces; a row's score is its number.
    private static EvaluationView Score(EvaluationRequest.Score request) => new(Job)
    {
        First = request.First,
        Scores = [new PieceScore(request.First switch { 0 => [0], 1 => [1, 2], _ => [3] })],
        Arithmetic = "a",
        Nodes = 1,
        WaitsFor = null,
        Failure = null,
    };

    private sealed class Lines(List<string> said) : IProgress<string>
    {
        public void Report(string value) => said.Add(value);
    }
}
