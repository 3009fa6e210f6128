using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>
/// The tokens of a text that goes on from another, as lm-evaluation-harness cuts them (Gao et al. 2021): both are encoded as one text,
/// where a tokenizer may join them; tokens that the first text alone would have are read, the others are scored. White space at the end of
/// the first text counts to the second, because that is where a word's token has it. An empty first text becomes an end of text.
/// </summary>
internal static class Continuations
{
    /// <summary>The row that scores <paramref name="text"/> after <paramref name="before"/>.</summary>
    /// <param name="where">For a message: the file and its line.</param>
    /// <exception cref="ElasticException">The text has no token of its own, or more than the model sees at once.</exception>
    public static ScoredRow Of(TextModel model, string before, string text, string where)
    {
        var read = before.TrimEnd();
        List<int> first = [], all = [];
        model.Tokenizer.Encode(read, first);
        model.Tokenizer.Encode(before + text, all);
        // A token that spans both belongs to neither alone, and is scored.
        var common = 0;
        while (common < first.Count && common < all.Count && first[common] == all[common])
            common++;
        var (scored, context) = (all.Count - common, model.Settings.Context);
        if (scored == 0)
            throw new ElasticException($"{where}: nothing is left to score, the text has no tokens of its own");
        if (scored > context)
            throw new ElasticException($"{where}: the text to score has {scored} tokens, and the model's context is {context}");
        int[] start = common > 0 ? [.. all[..common]] : [model.Tokenizer.EndOfText];
        return ScoredRow.Of(start, [.. all[common..]], context);
    }
}
