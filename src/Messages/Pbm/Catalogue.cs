using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Elastic.Messages.Pbm;

/// <summary>What follows an argument's name on the command line.</summary>
public enum ArgumentKind
{
    /// <summary>A text.</summary>
    Value,

    /// <summary>Nothing: it is there or not.</summary>
    Flag,

    /// <summary>
    /// One of <see cref="ArgumentHelp.Choices"/>, or else a file on the client's machine whose text travels with the call.
    /// </summary>
    ChoiceOrFile,
}

/// <summary>An argument of a command, as the client parses and explains it.</summary>
/// <param name="Short">One letter, for <c>-s</c>.</param>
/// <param name="Long">For <c>--long</c>; also names the argument in a call.</param>
/// <param name="ValueName">Stands for the value in the help, e.g. "NAME"; empty for a flag.</param>
/// <param name="Required">A call without it is wrong usage.</param>
/// <param name="Repeatable">May be given more than once; the order is kept.</param>
/// <param name="Choices">Names that the server knows; for <see cref="ArgumentKind.ChoiceOrFile"/>.</param>
/// <param name="IsNewFolder">
/// Names a folder of the client's machine that is not there yet, or a prefix in a store, for the files that the command sends.
/// </param>
/// <param name="Confirms">A flag without which the command only tells what it would do: a terminal asks, and gives it then.</param>
/// <param name="IsConsent">A flag without which a terminal asks before the command is given: what it does cannot be undone.</param>
/// <param name="Names">Where the values are that there are at the moment; null where they are no names.</param>
public sealed record ArgumentHelp(
    string Short, string Long, string ValueName, string Description,
    bool Required = false, bool Repeatable = false, ArgumentKind Kind = ArgumentKind.Value, string[]? Choices = null,
    NamesOf? Names = null, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsNewFolder = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Confirms = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool IsConsent = false);

/// <summary>A command without arguments whose JSON lines hold names, so that a prompt can complete them.</summary>
/// <param name="Key">The key of the name in each line.</param>
public sealed record NamesOf(string Palette, string Command, string Key);

/// <summary>A command of a palette.</summary>
/// <param name="Examples">Command lines for the help, one per line; may be empty.</param>
/// <param name="Follows">It shows something as it goes, and changes nothing: who has lost the connection asks again.</param>
public sealed record CommandHelp(
    string Name, string Description, ArgumentHelp[] Arguments, string Examples = "",
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Follows = false);

/// <summary>A group of commands about one thing, e.g. "run".</summary>
public sealed record PaletteHelp(string Name, string Description, CommandHelp[] Commands)
{
    private static readonly JsonSerializerOptions Indented = new(PbmStream.Json)
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,      // for people, in no HTML page
    };

    /// <summary>Palettes as a text that a person can compare, e.g. those that pbm itself knows.</summary>
    public static string Write(IEnumerable<PaletteHelp> palettes) =>
        JsonSerializer.Serialize(palettes, Indented) + "\n";

    /// <summary>Reads what <see cref="Write"/> has written.</summary>
    public static IReadOnlyList<PaletteHelp> Read(Stream json) => JsonSerializer.Deserialize<PaletteHelp[]>(json, PbmStream.Json)!;
}
