using Elastic.Messages.Corpora;

namespace Elastic.Model.Batches;

/// <summary>
/// A place of a text in which tokens are hidden: its token, and what may be done with it.
/// </summary>
/// <param name="CanHide">False for what fills up, and for the tokens around the sentences of a pair.</param>
/// <param name="Continues">Its piece goes on with the word of the place before it.</param>
/// <param name="Segment">Places see each other where this is the same.</param>
/// <param name="Type">0, or 1 in the second sentence of a pair (Devlin et al. 2019, section 3: the segment embedding).</param>
internal readonly record struct MaskedPlace(int Token, bool CanHide, bool Continues, int Segment, int Type);

/// <summary>
/// Two sentences as BERT reads them: [CLS] A [SEP] B [SEP], of which A with the first two tokens is of type 0, B with the last one of type
/// 1 (Devlin et al. 2019, section 3.2). The end of text, which a pair ends with, stands for [SEP]. Where both together are too long, the
/// longer one loses its last token, the second where they are equally long, until they fit.
/// </summary>
internal static class SentencePair
{
    /// <summary>The three tokens around the sentences, and a place for each of these.</summary>
    public const int LeastContext = 5;

    /// <param name="elements">A sample of pairs: T elements of the first, T + 1 of the second, which begins with an end of text.</param>
    /// <param name="first">What stands before them; null for an end of text, too.</param>
    /// <returns>T places.</returns>
    public static MaskedPlace[] Of(ReadOnlySpan<int> elements, int? first)
    {
        var context = elements.Length / 2;
        var end = SampleElement.TokenOf(elements[context]);
        ReadOnlySpan<int> a = elements[..FirstLength(elements[..context], end)], b = Second(elements[(context + 1)..], end);
        var (lengthA, lengthB) = Fit(a.Length, b.Length, context - 3);
        var places = new List<MaskedPlace>(context) { Around(first ?? end, 0) };
        Add(places, a[..lengthA], 0);
        places.Add(Around(end, 0));
        Add(places, b[..lengthB], 1);
        places.Add(Around(end, 1));
        while (places.Count < context)
            places.Add(new MaskedPlace(end, CanHide: false, Continues: false, Segment: 1, Type: 0));
        return [.. places];
    }

    private static (int First, int Second) Fit(int first, int second, int room)
    {
        while (first + second > room)
            if (first > second)
                first--;
            else
                second--;
        return (first, second);
    }

    private static void Add(List<MaskedPlace> places, ReadOnlySpan<int> elements, int type)
    {
        for (var i = 0; i < elements.Length; i++)
            places.Add(new MaskedPlace(
                SampleElement.TokenOf(elements[i]), true, i > 0 && (elements[i] & SampleElement.Continues) != 0, 0, type));
    }

    private static MaskedPlace Around(int token, int type) => new(token, CanHide: false, Continues: false, Segment: 0, type);

    // The end of text is there unless the sentence was cut, and no other place holds one.
    private static int FirstLength(ReadOnlySpan<int> source, int end)
    {
        var length = 0;
        while (length < source.Length && SampleElement.TokenOf(source[length]) != end)
            length++;
        return length;
    }

    private static ReadOnlySpan<int> Second(ReadOnlySpan<int> target, int end)
    {
        var length = 0;
        while (length < target.Length && (target[length] & SampleElement.NotCounted) == 0 && SampleElement.TokenOf(target[length]) != end)
            length++;
        return target[..length];
    }
}
