using System.Text.Json.Nodes;
using Elastic.Host.Configuration;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>One line of a command's output.</summary>
/// <param name="Text">For people; null where the line is for scripts only.</param>
/// <param name="Json">The line for scripts; null where the line is for people only, e.g. the head of a table.</param>
internal sealed record PbmLine(string? Text, JsonObject? Json = null)
{
    /// <summary>A piece of a file for the client, in place of a line.</summary>
    public PbmMessage.FilePiece? Piece { get; init; }
}

/// <summary>
/// The one definition of a palette's command: clients take its help and its arguments from here. What it throws becomes the client's error
/// and exit code, as for any command of <c>elastic</c> (see <see cref="ErrorReport"/>).
/// </summary>
/// <param name="Changes">It changes something, so that it is refused to who may only look.</param>
/// <param name="OnlyWith">It changes something only where this argument is given; null where it always does, or never.</param>
/// <param name="Handler">Called with values that fit the arguments. Makes the next line when the client has taken the last one.</param>
internal sealed record PaletteCommand(
    CommandHelp Help, bool Changes, Func<PbmCall, CancellationToken, IAsyncEnumerable<PbmLine>> Handler, ArgumentHelp? OnlyWith = null)
{
    /// <summary>Whether this call of the command changes something.</summary>
    public bool ChangesBy(PbmMessage.Call call) => Changes && (OnlyWith is null || call.Values.Any(v => v?.Argument == OnlyWith.Long));
}

/// <summary>A group of commands about one thing.</summary>
internal sealed record Palette(string Name, string Description, IReadOnlyList<PaletteCommand> Commands)
{
    /// <summary>The palette's help for clients.</summary>
    public PaletteHelp Help => new(Name, Description, [.. Commands.Select(c => c.Help)]);
}

/// <summary>The values of one call. The indexers take the arguments themselves, not their names, so that no name can be misspelt.</summary>
internal sealed class PbmCall
{
    private readonly ILookup<string, CallValue> _values;

    private PbmCall(IEnumerable<CallValue> values, Origin origin) =>
        (_values, Origin) = (values.ToLookup(v => v.Argument, StringComparer.Ordinal), origin);

    /// <summary>Who asks.</summary>
    public Origin Origin { get; }

    /// <summary>Makes the call of <paramref name="command"/> from <paramref name="values"/>.</summary>
    /// <exception cref="SettingsException">The values do not fit the arguments; Elastic's own client has checked them before.</exception>
    public static PbmCall Of(CommandHelp command, IReadOnlyList<CallValue> values, Origin origin)
    {
        var problems = values.Where(v => command.Arguments.All(a => a.Long != v?.Argument))
            .Select(v => $"{command.Name} has no argument --{v?.Argument}")
            .Concat(command.Arguments.SelectMany(a => values.Count(v => v?.Argument == a.Long) switch
            {
                0 when a.Required => [$"{command.Name} needs --{a.Long}"],
                > 1 when !a.Repeatable => [$"{command.Name} takes --{a.Long} once"],
                _ => Array.Empty<string>(),
            })).ToList();
        return problems.Count > 0 ? throw new SettingsException(problems) : new PbmCall(values, origin);
    }

    /// <summary>The value of an argument; null where it was not given.</summary>
    public string? Value(ArgumentHelp argument) => _values[argument.Long].FirstOrDefault()?.Value;

    /// <summary>The value of an argument that is required.</summary>
    public string Required(ArgumentHelp argument) => _values[argument.Long].First().Value;

    /// <summary>The values of a repeatable argument, in their order.</summary>
    public IReadOnlyList<string> Values(ArgumentHelp argument) => [.. All(argument).Select(v => v.Value)];

    /// <summary>The values of a repeatable argument, in their order, with the texts of the client's files.</summary>
    public IReadOnlyList<CallValue> All(ArgumentHelp argument) => [.. _values[argument.Long]];
}
