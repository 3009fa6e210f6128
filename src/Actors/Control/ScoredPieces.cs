using System.Diagnostics;
using System.Runtime.CompilerServices;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Model.Evaluation;

namespace Elastic.Actors.Control;

/// <summary>Has the pieces of an evaluation scored, a window of them at a time, and gives their scores in order. Used once.</summary>
/// <param name="asker">Asks for the job, and serves the pieces.</param>
/// <param name="run">Whose checkpoint scores.</param>
/// <param name="request">What the evaluation is, without pieces.</param>
/// <param name="kept">What all pieces need.</param>
/// <param name="progress">Is told how far it is.</param>
internal sealed class ScoredPieces(
    JobAsker<EvaluationView> asker, RunName run, EvaluationRequest.Score request, IReadOnlyCollection<Digest> kept,
    IProgress<string> progress)
{
    private static readonly TimeSpan BetweenReports = TimeSpan.FromSeconds(5);

    private readonly List<(Digest Piece, int Rows)> _waiting = [];
    private EvaluationRequest.Score _request = request;
    private long _reported = Stopwatch.GetTimestamp();

    /// <summary>Has the pieces scored; gives for each of them the sum of the cross-entropies of each row.</summary>
    /// <exception cref="ElasticException">It cannot be done, and why.</exception>
    public async IAsyncEnumerable<double[]> RunAsync(
        IEnumerable<IReadOnlyList<ScoredRow>> pieces, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var rows = pieces.GetEnumerator();
        for (var hasMore = true; ;)
        {
            while (hasMore && _waiting.Count < EvaluationRequest.MostPieces)
            {
                if (hasMore = await Task.Run(rows.MoveNext, cancel))
                    _waiting.Add((asker.Store.Put(ScoredPiece.Write(rows.Current)), rows.Current.Count));
            }
            if (_waiting.Count == 0)
                yield break;
            _request = _request with { Pieces = [.. _waiting.Select(w => w.Piece)], Rows = [.. _waiting.Select(w => w.Rows)] };
            var scores = await asker.AskAsync(_request, cancel) is { } view ? Take(view) : [];
            foreach (var score in scores)
                yield return score.Nats;
            if (scores.Count == 0)
                await Task.Delay(JobAsker<EvaluationView>.BetweenQuestions, cancel);
        }
    }

    private IReadOnlyList<PieceScore> Take(EvaluationView view)
    {
        if (view.Failure is { } failure)
            throw new ElasticException($"the evaluation of run {run} cannot go on: {failure}");
        var scores = Fitting(view);
        _waiting.RemoveRange(0, scores.Count);
        _request = _request with { First = _request.First + scores.Count };
        // What has no score yet may be scored by other nodes than those that are there now.
        if (_request.First > 0)
            _request = _request with { Arithmetic = view.Arithmetic };
        if (scores.Count > 0)
            asker.Store.Collect(kept.Concat(_waiting.Select(w => w.Piece)).ToHashSet(), round: 1);
        // The report says what else it waits for.
        asker.WaitFor(null);
        if (Stopwatch.GetElapsedTime(_reported) >= BetweenReports)
        {
            _reported = Stopwatch.GetTimestamp();
            progress.Report($"scored {_request.First} pieces, {_waiting.Count} on their way to {Plural.Of(view.Nodes, "node")}"
                + (view.WaitsFor is { } what ? $"; waits for {what}" : ""));
        }
        return scores;
    }

    // An answer to an earlier request says nothing about this one.
    private IReadOnlyList<PieceScore> Fitting(EvaluationView view) => view.First != _request.First
        ? []
        : [.. view.Scores.Take(_request.Rows.Length).TakeWhile((score, piece) => score.Nats.Length == _request.Rows[piece])];
}
