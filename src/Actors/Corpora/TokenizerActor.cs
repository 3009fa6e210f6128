using Akka.Actor;
using Akka.Routing;
using Elastic.Corpus;
using Elastic.Corpus.Build;

namespace Elastic.Actors.Corpora;

/// <summary>A batch of documents for the tokenizer pool. Never leaves the process.</summary>
internal sealed record Tokenize(TokenPlan Plan, DocumentBatch Batch, CancellationToken Cancel) : INoSerializationVerificationNeeded;

/// <summary>Turns batches of documents into tokens; one of a pool sized to the cores.</summary>
internal sealed class TokenizerActor : ReceiveActor
{
    public TokenizerActor() => Receive<Tokenize>(work =>
    {
        try
        {
            Sender.Tell(work.Plan.Tokenize(work.Batch, work.Cancel));
        }
        catch (Exception e)
        {
            Sender.Tell(new Status.Failure(e));
        }
    });

    /// <summary>The pool, on threads of its own: a batch keeps a thread busy for a tenth of a second.</summary>
    public static Props Pool() => Props.Create(() => new TokenizerActor())
        .WithRouter(new RoundRobinPool(Environment.ProcessorCount))
        .WithDispatcher("elastic.tokenizer-dispatcher");
}
