using Elastic.Corpus;

namespace Elastic.Tokenize;

/// <summary>Calls back for each batch of documents whose words are counted.</summary>
internal sealed class Counted(Action counted) : IProgress<TokenizerProgress>
{
    public void Report(TokenizerProgress value)
    {
        if (value.Tokens == 0)
            counted();
    }
}
