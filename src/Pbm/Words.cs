using System.Text;

namespace Elastic.Pbm;

/// <summary>Splits a line of the prompt into words, as a shell does: at blanks outside quotes.</summary>
internal static class Words
{
    /// <exception cref="PbmException">A quote is left open.</exception>
    public static string[] Split(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char? quote = null;
        foreach (var c in line)
        {
            if (quote is null && char.IsWhiteSpace(c))
            {
                if (word is not null)
                    words.Add(word.ToString());
                word = null;
            }
            else if (quote is null && c is '"' or '\'')
            {
                (quote, word) = (c, word ?? new StringBuilder());
            }
            else if (c == quote)
            {
                quote = null;
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }

        if (quote is not null)
            throw PbmException.Usage($"a quote is left open: {line.Trim()}", "help");
        if (word is not null)
            words.Add(word.ToString());
        return [.. words];
    }
}
