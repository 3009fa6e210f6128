using System.Runtime.InteropServices;

namespace Elastic.Model.Evaluation;

/// <summary>
/// Some neighbouring targets of a text, of which the last ones are scored; the others only give them context. A text of n tokens has the
/// targets 0 to n - 1, and before the first one stands an end of text.
/// </summary>
/// <param name="First">The first target.</param>
/// <param name="Count">Targets.</param>
/// <param name="Scored">How many of them are scored: the last ones.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TextWindow(int First, int Count, int Scored)
{
    /// <summary>
    /// Windows that together score each token once: one begins every <paramref name="stride"/> tokens and scores what none before it has
    /// scored. With a stride of the whole context they are disjoint, as Gao et al. 2020 (section 3.1) evaluate; with a smaller one they
    /// slide, and all tokens but the first of a text have at least context - stride tokens before them.
    /// </summary>
    /// <param name="tokens">Tokens of the text.</param>
    /// <param name="context">The most targets of a window.</param>
    public static IEnumerable<TextWindow> Of(int tokens, int context, int stride)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(stride, context);
        return Cut();

        IEnumerable<TextWindow> Cut()
        {
            for (int first = 0, scored = 0; scored < tokens; first += stride)
            {
                var end = Math.Min(tokens, first + context);
                yield return new TextWindow(first, end - first, end - scored);
                scored = end;
            }
        }
    }
}
