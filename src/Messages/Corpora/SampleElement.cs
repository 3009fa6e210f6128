using Elastic.Messages.Settings;

namespace Elastic.Messages.Corpora;

/// <summary>
/// One place of a training sample: a token, and what is said of it. Plain text says nothing, so that its elements are its tokens.
/// </summary>
public static class SampleElement
{
    /// <summary>The token is read and not predicted: a prompt, or what fills up a sample that is shorter than the others.</summary>
    public const int NotCounted = 1 << 24;

    /// <summary>A document begins here: nothing before it is seen from here on.</summary>
    public const int Begins = 1 << 25;

    /// <summary>The token goes on with the word of the one before it.</summary>
    public const int Continues = 1 << 26;

    private const int Tokens = ModelSettings.MostVocabulary - 1;

    /// <summary>The token.</summary>
    public static int TokenOf(int element) => element & Tokens;

    /// <summary>True for an element that can be, of a vocabulary of that size.</summary>
    public static bool IsValid(int element, int vocabulary) =>
        (element & ~(Tokens | NotCounted | Begins | Continues)) == 0 && TokenOf(element) < vocabulary;
}
