namespace Elastic.Corpus;

/// <summary>A part of a text that is being cut into words.</summary>
/// <param name="Text">The text that it is part of.</param>
/// <param name="IsFirst">It begins where the whole document begins.</param>
internal readonly record struct Piece(string Text, int Start, int Length, bool IsFirst)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    /// <summary>A part of this piece.</summary>
    public Piece Slice(int start, int length) => new(Text, Start + start, length, IsFirst && start == 0);

    /// <summary>This piece with another text.</summary>
    public Piece With(string text) => new(text, 0, text.Length, IsFirst);
}

/// <summary>Cuts pieces into smaller ones, from which a model makes tokens one by one.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends the parts of <paramref name="piece"/>, none of them empty.</summary>
    public abstract void Cut(Piece piece, List<Piece> into);
}
