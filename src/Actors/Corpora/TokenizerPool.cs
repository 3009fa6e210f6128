using System.Runtime.CompilerServices;
using Akka.Actor;
using Elastic.Corpus;
using Elastic.Corpus.Build;

namespace Elastic.Actors.Corpora;

/// <summary>Makes tokens by the <see cref="TokenizerActor"/>s of this process.</summary>
/// <param name="step">Takes the name of each step before it is taken; null for nobody.</param>
internal sealed class TokenizerPool(IActorRef tokenizers, Action<string>? step) : ITokenPass
{
    public int CharactersOf(long bytes) => DocumentBatches.TargetCharacters;

    public async IAsyncEnumerable<TokenizedBatch> RunAsync(
        TokenPlan plan, IEnumerable<DocumentBatch> batches, [EnumeratorCancellation] CancellationToken cancel)
    {
        var ahead = new Queue<Task<TokenizedBatch>>();
        foreach (var batch in batches)
        {
            step?.Invoke(ITokenPass.Step);
            // No deadline: a tokenizer of this process always answers, and a process that was stopped for a while goes on.
            ahead.Enqueue(tokenizers.Ask<TokenizedBatch>(new Tokenize(plan, batch, cancel), Timeout.InfiniteTimeSpan, cancel));
            if (ahead.Count > 2 * Environment.ProcessorCount)
                yield return await ahead.Dequeue();
        }
        while (ahead.TryDequeue(out var next))
            yield return await next;
    }
}
