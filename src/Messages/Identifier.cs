namespace Elastic.Messages;

/// <summary>What every identifier must be: short, of letters, digits and a few signs, and no path.</summary>
public static class Identifier
{
    /// <summary>Random bytes in a drawn id: 40 bits, so that ids of one label do not collide in practice.</summary>
    public const int DrawnBytes = 5;

    // Crockford's base 32: no letter that looks like a digit, and no u, against accidental words.
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    /// <summary>True for 1 to <paramref name="most"/> letters, digits, '-', '_', '.' and ':', not beginning with '.'.</summary>
    public static bool IsValid(string? value, int most) =>
        value is { Length: > 0 } && value.Length <= most && value[0] != '.'
        && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':');

    /// <summary>The value, if it is valid.</summary>
    /// <exception cref="ArgumentException">It is not; the message names what it was meant to be.</exception>
    public static string Checked(string? value, string what, int most) => IsValid(value, most)
        ? value!
        : throw new ArgumentException(
            $"\"{(value?.Length > most ? value[..most] + "…" : value)}\" is no {what}: "
            + $"use 1 to {most} letters, digits, '-', '_', '.' and ':'");

    /// <summary>Eight letters and digits.</summary>
    public static string Drawn(ReadOnlySpan<byte> random)
    {
        var bits = 0UL;
        foreach (var b in random[..DrawnBytes])
            bits = (bits << 8) | b;
        return string.Create(8, bits, (text, value) =>
        {
            for (var i = text.Length - 1; i >= 0; i--, value >>= 5)
                text[i] = Alphabet[(int)(value & 31)];
        });
    }

    /// <summary>
    /// The characters of <paramref name="text"/> that an identifier may hold; <paramref name="otherwise"/> where nothing is left.
    /// </summary>
    public static string Label(string text, string otherwise)
    {
        var label = new string([.. text.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').Take(40)]);
        return label.Length > 0 ? label : otherwise;
    }
}
