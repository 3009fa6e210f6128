using System.Text;

namespace Elastic.Corpus;

/// <summary>What a record says besides its text: strings, numbers and words, also inside of objects.</summary>
internal ref partial struct JsonRecord
{
    // The value that stands here is read twice: by whoever it is meant for, too.
    private readonly void Note(string key)
    {
        if (_fields is not { } fields)
            return;
        var reading = this;
        try
        {
            reading.NoteAt(key, fields, _values!);
        }
        catch (FormatException)
        {
            // A fault in it costs nothing but the value; whoever passes over it finds what is wrong with the record.
        }
    }

    private void NoteAt(string path, RecordFields fields, Dictionary<string, string> values)
    {
        if (Peek() == '{')
        {
            if (!fields.Names.Any(name => name.Length > path.Length + 1 && name[path.Length] == '.'
                && name.StartsWith(path, StringComparison.Ordinal)))
                return;
            _position++;
            while (NextKey() is { } key)
            {
                var reading = this;
                reading.NoteAt($"{path}.{key}", fields, values);
                SkipValue();
            }
            return;
        }
        if (!fields.Names.Contains(path))
            return;
        // Of two fields of one name the last one counts.
        if (Scalar() is { } value)
            values[path] = value;
        else
            values.Remove(path);
    }

    // A string, or a number or a word as it is written; null for anything else, and for what is too long.
    private string? Scalar()
    {
        if (Peek() == '"')
            return StringIfWhole() is { Length: <= RecordFields.LongestValue } text ? text : null;
        if (Peek() is '{' or '[')
            return null;
        var start = _position;
        SkipValue();
        var word = _json[start.._position].Trim(" \t\r"u8);
        return word.Length is > 0 and <= RecordFields.LongestValue && !word.SequenceEqual("null"u8) ? Encoding.UTF8.GetString(word) : null;
    }
}
