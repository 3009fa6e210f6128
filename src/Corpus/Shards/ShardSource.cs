using System.Runtime.InteropServices;
using Elastic.Messages.Corpora;

namespace Elastic.Corpus;

/// <summary>
/// What a shard says of where its documents come from: the source and, where it is known, the language. It is one text in the shard's list
/// of sources, of the source alone as before where there is no language.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ShardSource(string Name, string? Language)
{
    // ASCII's unit separator, which no name of a source has that people read.
    private const char Separator = '\u001F';

    public string Text => Language is null ? Name.Replace(Separator, ' ') : $"{Name.Replace(Separator, ' ')}{Separator}{Language}";

    public static ShardSource Parse(string text) => text.LastIndexOf(Separator) is >= 0 and var at
        ? new ShardSource(text[..at], LanguageCode.Of(text[(at + 1)..]))
        : new ShardSource(text, null);
}
