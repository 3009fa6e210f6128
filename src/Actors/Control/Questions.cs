using Akka.Actor;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Control;

/// <summary>
/// Asks the supervisors, and asks again while no answer comes: one that moves to another seed, or ends because its database did not answer
/// in time, takes a question with it. Asking twice is safe.
/// </summary>
/// <param name="runs">The reference to the supervisors' singleton; null while this process is in no cluster.</param>
/// <param name="patience">
/// How long to wait for an answer before the question is repeated, at most; a third of its deadline where that is less.
/// </param>
/// <param name="trouble">Why this process is in no cluster, as far as it knows; null for nobody who knows.</param>
internal sealed class Questions(Func<IActorRef?> runs, TimeSpan patience, Func<string?>? trouble = null)
{
    /// <param name="question">Its parts, in order; the last one is answered.</param>
    /// <exception cref="UnavailableException">Nobody answers within <paramref name="deadline"/>.</exception>
    public async Task<T> AskAsync<T>(IReadOnlyList<IWireMessage> question, TimeSpan deadline, CancellationToken cancel)
    {
        var each = TimeSpan.FromTicks(Math.Min(patience.Ticks, (deadline.Ticks + 2) / 3));
        using var answered = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task<T>> asks = [];
        for (var left = deadline; left > TimeSpan.Zero; left -= each)
        {
            var asked = runs() ?? throw new UnavailableException(
                $"this process is just joining the cluster again: {trouble?.Invoke() ?? "try again in a moment"}");
            foreach (var part in question.SkipLast(1))
                asked.Tell(part);
            // The earlier ones stay: a supervisor may be slow, and have answered none yet.
            asks.Add(asked.Ask<T>(question[^1], left, answered.Token));
            var first = Task.WhenAny(asks);
            if (left > each)
                await Task.WhenAny(first, Task.Delay(each, cancel));
            if (left > each && !first.IsCompleted)
                continue;
            try
            {
                return await await first;
            }
            catch (AskTimeoutException)
            {
                break;
            }
            finally
            {
                await answered.CancelAsync();
            }
        }

        throw new UnavailableException($"the supervisor did not answer within {deadline.TotalSeconds} s: " +
                                       "it may be moving to another seed, or its database may be slow or down; " +
                                       "log.txt in the data directory has the details");
    }
}
