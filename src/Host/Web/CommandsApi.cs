using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Web;

/// <summary>
/// What changes something: the commands of pbm that do, <c>POST /api/v1/runs/NAME/COMMAND</c> and <c>POST /api/v1/nodes/NODE/COMMAND</c>.
/// A command that a palette gets is served, and shown as a button, without a line here.
/// </summary>
internal sealed class CommandsApi(WebContext web)
{
    private const int MostLines = 1000, MostValues = 100, MostCharacters = 64 << 10, LongestId = 100;

    // Which palette's commands stand below a path, and which of their arguments the path has.
    private static readonly (string Path, string Palette, string Argument)[] Subjects =
        [("runs", "run", "name"), ("nodes", "node", "node")];

    /// <summary>The commands that there are, with their arguments.</summary>
    public JsonObject List() => new()
    {
        ["commands"] = new JsonArray([.. Subjects.SelectMany(s => CommandsOf(s).Select(c => Describe(s, c.Help)))]),
    };

    /// <summary>Carries a command out, and answers with its lines.</summary>
    /// <param name="path">"runs" or "nodes".</param>
    public async Task<JsonObject> RunAsync(HttpContext context, string path, Asker asker)
    {
        var subject = Subjects.Single(s => s.Path == path);
        var name = Query.Path(context, "command");
        var commands = CommandsOf(subject).ToList();
        var command = commands.Find(c => c.Help.Name == name) ?? throw WebProblem.NotFound(
            $"{path} have no command {OneLine.Of(name, 40)} that changes something: "
            + EditDistance.Suggest(OneLine.Of(name, 40), commands.Select(c => c.Help.Name)));
        var body = await Body.ReadAsync(context);
        CallValue[] values = [new CallValue(subject.Argument, Query.Path(context, "subject")), .. ValuesOf(body)];
        var id = context.Request.Headers["Idempotency-Key"].ToString() is { Length: > 0 } key
            ? OneLine.Of(key, LongestId) : Guid.NewGuid().ToString("N");
        var origin = new Origin(id, asker.Who, web.Time.GetUtcNow());
        var (call, from) = (new PbmMessage.Call(subject.Palette, name, values, Json: true, asker.Who, id), Access.AddressOf(context));
        try
        {
            var lines = await RunAsync(command, call, origin, asker, from, context.RequestAborted);
            web.Service.Commands.End(call, origin, from, ExitCodes.Done, "");
            return new JsonObject { ["id"] = id, ["lines"] = new JsonArray([.. lines]) };
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            web.Service.Commands.End(call, origin, from, ExitCodes.Interrupted, "the client has gone");
            throw;
        }
        catch (Exception e)
        {
            var problem = WebProblem.Of(e, web.Service.LogFile);
            web.Service.Commands.End(call, origin, from, ExitCodes.Failed, problem.Message);
            throw problem;
        }
    }

    private async Task<List<JsonNode>> RunAsync(
        PaletteCommand command, PbmMessage.Call call, Origin origin, Asker asker, string from, CancellationToken cancel)
    {
        if (!asker.MayChange && command.ChangesBy(call))
            throw WebProblem.Forbidden(
                $"{asker.Peer} may look and change nothing: use the certificate of an admin (elastic certs token --role admin makes a "
                + "token for one)");
        var given = PbmCall.Of(command.Help, call.Values, origin);
        web.Service.Commands.Begin(call, origin, from);
        var lines = new List<JsonNode>();
        await foreach (var line in command.Handler(given, cancel).WithCancellation(cancel))
        {
            // Of a command that tells much the last lines say what came of it.
            if (lines.Count == MostLines)
                lines.RemoveAt(0);
            var json = line.Json ?? [];
            if (line.Text is { } text)
                json["text"] = text;
            lines.Add(json);
        }

        return lines;
    }

    private IEnumerable<PaletteCommand> CommandsOf((string Path, string Palette, string Argument) subject) =>
        web.Service.Palettes.Where(p => p.Name == subject.Palette).SelectMany(p => p.Commands)
            .Where(c => c.Changes && c.Help.Arguments.Any(a => a.Long == subject.Argument));

    private static JsonObject Describe((string Path, string Palette, string Argument) subject, CommandHelp help) => new()
    {
        ["path"] = $"/api/v1/{subject.Path}/{{{subject.Palette}}}/{help.Name}",
        ["subject"] = subject.Palette,
        ["command"] = help.Name,
        ["description"] = help.Description,
        ["arguments"] = new JsonArray([.. help.Arguments.Where(a => a.Long != subject.Argument).Select(a => new JsonObject
        {
            ["name"] = a.Long,
            ["value"] = a.ValueName,
            ["description"] = a.Description,
            ["required"] = a.Required,
            ["repeatable"] = a.Repeatable,
            ["confirms"] = a.Confirms,
            ["isConsent"] = a.IsConsent,
            ["choices"] = a.Choices is null ? null : new JsonArray([.. a.Choices.Select(c => JsonValue.Create(c))]),
        })]),
    };

    // {"devices": "cpu:2", "set": ["run.rounds=200", ...], "flag": true}
    private static List<CallValue> ValuesOf(JsonElement body)
    {
        var values = body.ValueKind == JsonValueKind.Undefined ? [] : body.EnumerateObject()
            .Select(field => (Name: field.Name, field.Value))
            .SelectMany(f => Texts(f.Name, f.Value).Select(text => new CallValue(f.Name, text))).Take(MostValues + 1).ToList();
        if (values.Count > MostValues || values.Sum(v => (long)v.Argument.Length + v.Value.Length) > MostCharacters)
            throw WebProblem.Invalid($"the body has more than {MostValues} values: give fewer");
        return values;
    }

    private static IEnumerable<string> Texts(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [Body.Text(name, value)],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.True => [""],
        JsonValueKind.False or JsonValueKind.Null => [],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(v => v.ValueKind == JsonValueKind.Array
            ? throw WebProblem.Invalid($"{OneLine.Of(name, 40)} is a list of lists: give a list of texts") : Texts(name, v)),
        _ => throw WebProblem.Invalid($"{OneLine.Of(name, 40)} is no text: give a text, or a list of texts"),
    };
}
