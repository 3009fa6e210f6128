using System.CommandLine;
using System.Text.Json.Nodes;

namespace Elastic.Host.Commands;

/// <summary>
/// What a command of <c>elastic</c> says on its standard output: lines for people, or with <c>--json</c> one object at its end. Where the
/// command fails before that, the object is <see cref="ErrorReport"/>'s.
/// </summary>
internal sealed class CommandOutput(TextWriter output, bool json)
{
    private bool _hasResult;

    /// <summary>The option of every command that has a result and takes a line for it.</summary>
    public static Option<bool> Option() => new(ElasticCommandLine.JsonName)
    {
        Description = "One JSON object, at the end, in place of the lines for people.",
    };

    public static CommandOutput Of(ParseResult parsed, Option<bool> json) =>
        new(parsed.InvocationConfiguration.Output, parsed.GetValue(json));

    /// <summary>A line for people.</summary>
    public void Say(string line)
    {
        if (!json)
            output.WriteLine(line);
    }

    /// <inheritdoc cref="Say(string)"/>
    public void Say(IEnumerable<string> lines)
    {
        foreach (var line in json ? [] : lines)
            Say(line);
    }

    /// <summary>The result for programs: once, and last.</summary>
    public void Result(JsonObject result)
    {
        Foundation.Invariant.Holds(!_hasResult, "a command has one result");
        _hasResult = true;
        if (json)
            output.WriteLine(result.ToJsonString());
    }

    /// <summary>An array of texts.</summary>
    public static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => JsonValue.Create(t))]);
}
