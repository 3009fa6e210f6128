using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Actors.Tests.Corpora;

/// <summary>A corpus of one text of one letter.</summary>
internal static class OneText
{
    public static BuiltCorpus Build(string folder, Digest? id = null)
    {
        var tokenizer = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(folder, id ?? Digest.Of("a corpus"u8), tokenizer);
        writer.Append(BatchTokenizer.Tokenize(tokenizer, new DocumentBatch(0, [new Document("a file", "0", new string('x', 4096))]), 0));
        return writer.Complete(new ReadStatistics());
    }
}
