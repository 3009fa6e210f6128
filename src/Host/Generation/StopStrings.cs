namespace Elastic.Host.Generation;

/// <summary>
/// Ends a text before the first stop string, in whichever pieces it comes: what may still become a stop string is held back. Of several,
/// the one counts that is complete first; of those that are complete at the same character, the longest.
/// </summary>
internal sealed class StopStrings(IReadOnlyList<string> stops)
{
    private string _held = "";

    /// <summary>True once a stop string has come; nothing is part of the text after that.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>The text that is certain with this piece, beginning where the last one ended.</summary>
    public string Add(string piece)
    {
        if (IsStopped || stops.Count == 0)
            return IsStopped ? "" : piece;
        var text = _held + piece;
        if (FirstIn(text) is { } stop)
        {
            IsStopped = true;
            _held = "";
            return text[..stop];
        }
        var certain = text.Length - stops.Max(s => Begun(text, s));
        _held = text[certain..];
        return text[..certain];
    }

    /// <summary>What is held back when the text ends.</summary>
    public string Complete()
    {
        var held = _held;
        _held = "";
        return held;
    }

    // Where the stop string begins that is complete first.
    private int? FirstIn(string text)
    {
        (int End, int Start)? first = null;
        foreach (var stop in stops)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first is null || (at + stop.Length, at).CompareTo(first.Value) < 0))
                first = (at + stop.Length, at);
        }
        return first?.Start;
    }

    // Characters at the end of the text that begin the stop string.
    private static int Begun(string text, string stop)
    {
        for (var length = Math.Min(text.Length, stop.Length - 1); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                return length;
        }
        return 0;
    }
}

/// <summary>The text of a stream of tokens, up to a stop string.</summary>
/// <param name="prompt">The tokens that it goes on from.</param>
/// <param name="isAnswer">Is a message of its own: white space at its beginning, which some templates have there, is left out.</param>
internal sealed class StoppedText(
    Corpus.Tokenizer tokenizer, IReadOnlyList<int> prompt, IReadOnlyList<string> stops, bool isAnswer = false)
{
    private readonly TokenStream _tokens = new(tokenizer, prompt);
    private readonly StopStrings _stops = new(stops);
    private bool _hasBegun = !isAnswer;

    /// <summary>True once a stop string has come.</summary>
    public bool IsStopped => _stops.IsStopped;

    /// <summary>Characters (code points) that the tokens make so far, with what is held back or left out because of stop strings.</summary>
    public int Length { get; private set; }

    /// <summary>The text that is certain with this token.</summary>
    public string Add(int token) => Begun(_stops.Add(Counted(_tokens.Add(token))));

    /// <summary>What is left when the last token has come.</summary>
    public string Complete() => Begun(_stops.Add(Counted(_tokens.Complete())) + _stops.Complete());

    /// <summary>Code points of a text, as the API counts characters.</summary>
    public static int Characters(string text) => text.Count(c => !char.IsLowSurrogate(c));

    private string Begun(string text)
    {
        if (_hasBegun)
            return text;
        text = text.TrimStart();
        _hasBegun = text.Length > 0;
        return text;
    }

    private string Counted(string piece)
    {
        Length += Characters(piece);
        return piece;
    }
}
