using System.Text;

namespace Elastic.Corpus;

/// <summary>Builds text out of markup: joins white space, and ends lines where asked to.</summary>
/// <param name="newlinesPerLine">Newlines that white space needs to end a line; with fewer it becomes one space.</param>
internal sealed class FlowedText(int newlinesPerLine = int.MaxValue)
{
    private readonly StringBuilder _text = new();
    // White space since the last word, and the newlines in it.
    private bool _isSpacePending;
    private int _pendingNewlines;
    private bool _isAtLineStart = true;

    /// <summary>UTF-16 units since the last <see cref="Take"/>.</summary>
    public int Length => _text.Length;

    /// <summary>Adds words and the white space between them.</summary>
    public void Append(ReadOnlySpan<char> words)
    {
        while (!words.IsEmpty)
        {
            var length = 0;
            while (length < words.Length && char.IsWhiteSpace(words[length]))
                if (words[length++] == '\n')
                    _pendingNewlines++;
            _isSpacePending |= length > 0;
            words = words[length..];
            for (length = 0; length < words.Length && !char.IsWhiteSpace(words[length]);)
                length++;
            if (length > 0)
                AppendVerbatim(words[..length]);
            words = words[length..];
        }
    }

    /// <summary>Adds text whose white space matters, such as code.</summary>
    public void AppendVerbatim(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return;
        if (_isSpacePending && !_isAtLineStart)
            _text.Append(_pendingNewlines >= newlinesPerLine ? '\n' : ' ');
        _text.Append(text);
        (_isSpacePending, _pendingNewlines, _isAtLineStart) = (false, 0, text[^1] == '\n');
    }

    /// <summary>Makes the next words begin a line. Several calls in a row count as one.</summary>
    public void EndLine()
    {
        if (!_isAtLineStart)
            _text.Append('\n');
        (_isSpacePending, _pendingNewlines, _isAtLineStart) = (false, 0, true);
    }

    /// <summary>The text since the last call.</summary>
    public string Take()
    {
        var text = _text.ToString();
        _text.Clear();
        return text;
    }

    /// <summary>The text since the last call, without pending white space; a new text begins after it.</summary>
    public string TakeWhole()
    {
        (_isSpacePending, _pendingNewlines, _isAtLineStart) = (false, 0, true);
        return Take();
    }
}
