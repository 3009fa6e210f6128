using Elastic.Corpus;
using Elastic.Corpus.Build;

namespace Elastic.Actors.Corpora;

/// <summary>Makes the tokens of a corpus.</summary>
internal interface ITokenPass
{
    /// <summary>The step of a build that is taken before the tokens of each batch are made.</summary>
    const string Step = "tokens";

    /// <summary>Characters after which a batch of documents is closed.</summary>
    /// <param name="bytes">Bytes of the files that the documents are in.</param>
    int CharactersOf(long bytes);

    /// <summary>The tokens of all batches, in their order. Only some batches are read ahead.</summary>
    IAsyncEnumerable<TokenizedBatch> RunAsync(TokenPlan plan, IEnumerable<DocumentBatch> batches, CancellationToken cancel);
}
