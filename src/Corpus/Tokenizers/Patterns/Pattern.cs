using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A compiled regular expression over code points. It finds what a backtracking matcher would find, in time proportional to the text: an
/// automaton whose states, made when they are first reached, are the ordered ways that such a matcher would still try. Thread-safe.
/// </summary>
internal sealed class Pattern
{
    /// <summary>Different characters and classes that an expression may name.</summary>
    public const int MostSets = 64;

    // Published expressions reach fewer than a hundred states.
    private const int MostStates = 2048;

    // A match may read on beyond its end, and does so by a few characters. An expression that reads far more than it takes is refused.
    private const long MostReadPerCharacter = 256;

    private const int Dead = 0, Start = 1;

    private readonly string _text;
    private readonly PatternStep[] _steps;
    private readonly byte[] _classOf = new byte[CodePoints.Count];
    private readonly List<ulong> _setsOfClass = [];
    private readonly int _endOfText;
    private readonly Lock _gate = new();
    private readonly List<int[]> _waysOfState = [];
    private readonly Dictionary<string, int> _stateOf = new(StringComparer.Ordinal);

    // [state][class] -> 0 where not known yet, else 1 + 2 * next state + (1 where the text so far is a match).
    private readonly int[]?[] _moves = new int[]?[MostStates];

    /// <exception cref="ElasticException">The expression is wrong, uses what is not known, or matches nothing at all.</exception>
    public Pattern(string text)
    {
        _text = text;
        (_steps, var sets) = PatternParser.Parse(text);
        var known = new Dictionary<ulong, byte>();
        for (var c = 0; c < CodePoints.Count; c++)
        {
            var (mask, category) = (0UL, CharUnicodeInfo.GetUnicodeCategory(c));
            for (var i = 0; i < sets.Length; i++)
                mask |= (sets[i](c, category) ? 1UL : 0) << i;
            if (!known.TryGetValue(mask, out var number))
            {
                if (known.Count == byte.MaxValue)
                    throw Wrong("it tells more than 255 kinds of characters apart");
                number = known[mask] = (byte)known.Count;
                _setsOfClass.Add(mask);
            }
            _classOf[c] = number;
        }
        _endOfText = _setsOfClass.Count;
        _setsOfClass.Add(0);
        StateOf([]);
        StateOf([0]);
        for (var i = 0; i <= _endOfText; i++)
            if ((Move(Start, i) & 1) == 0)
                throw Wrong("it matches where there is no character");
    }

    /// <summary>The end of the match that starts at <paramref name="start"/>, or -1.</summary>
    /// <param name="read">Grows by the characters that were looked at.</param>
    public int EndOfMatch(ReadOnlySpan<char> text, int start, ref long read)
    {
        var (state, end, i) = (Start, -1, start);
        while (true)
        {
            var width = 0;
            var kind = i == text.Length ? _endOfText : _classOf[CodePoints.At(text, i, out width)];
            var move = Volatile.Read(ref _moves[state]![kind]);
            if (move == 0)
                move = Move(state, kind);
            if ((move - 1 & 1) != 0)
                end = i;
            state = move - 1 >> 1;
            i += width;
            if (state == Dead)
            {
                read += i - start;
                return end;
            }
        }
    }

    /// <summary>The next match at <paramref name="from"/> or after it; false where there is none.</summary>
    /// <param name="read">Grows by the characters that were looked at; one counter for all matches of one text.</param>
    /// <exception cref="ElasticException">The expression reads far more than it takes.</exception>
    public bool Find(ReadOnlySpan<char> text, int from, ref long read, out int start, out int end)
    {
        for (start = from; start < text.Length; start++)
        {
            end = EndOfMatch(text, start, ref read);
            if (read > MostReadPerCharacter * (text.Length + 1024L))
                throw Wrong($"it reads each character more than {MostReadPerCharacter} times");
            if (end >= 0)
                return true;
            if (char.IsHighSurrogate(text[start]) && start + 1 < text.Length && char.IsLowSurrogate(text[start + 1]))
                start++;
        }
        end = start;
        return false;
    }

    private ElasticException Wrong(string why) => new($"the expression \"{OneLine.Of(_text, 200)}\" cannot be used: {why}");

    private int Move(int state, int kind)
    {
        lock (_gate)
        {
            var (ways, isMatch) = Next(_waysOfState[state], kind);
            var move = 1 + 2 * StateOf(ways) + (isMatch ? 1 : 0);
            Volatile.Write(ref _moves[state]![kind], move);
            return move;
        }
    }

    // The ways that remain after a code point of that kind, and whether what was read before it is a match. A match ends all ways after it.
    private (int[] Ways, bool IsMatch) Next(int[] ways, int kind)
    {
        var (sets, next, seen, isMatch) = (_setsOfClass[kind], new List<int>(), new HashSet<int>(), false);
        var open = new Stack<int>(ways.Reverse());
        while (!isMatch && open.TryPop(out var at))
        {
            if (!seen.Add(at))
                continue;
            var step = _steps[at];
            switch (step.Kind)
            {
                case PatternStepKind.Consume when (sets >> step.A & 1) != 0 && !next.Contains(at + 1):
                    next.Add(at + 1);
                    break;
                case PatternStepKind.Fork:
                    open.Push(step.B);
                    open.Push(step.A);
                    break;
                case PatternStepKind.Jump:
                    open.Push(step.A);
                    break;
                case PatternStepKind.Ahead when (sets >> step.A & 1) != (ulong)step.B:
                    open.Push(at + 1);
                    break;
                case PatternStepKind.Match:
                    isMatch = true;
                    break;
            }
        }
        return ([.. next], isMatch);
    }

    private int StateOf(int[] ways)
    {
        var key = string.Join(',', ways);
        if (_stateOf.TryGetValue(key, out var state))
            return state;
        state = _waysOfState.Count;
        if (state == MostStates)
            throw Wrong($"it needs more than {MostStates} states");
        _waysOfState.Add(ways);
        Volatile.Write(ref _moves[state], new int[_endOfText + 1]);
        return _stateOf[key] = state;
    }
}
