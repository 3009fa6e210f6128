using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>
/// Who asked for what by pbm, and what came of it: a JSON object a line, only added to. A command that changes something has a line before
/// it begins, too, so that one that ends the process is known. Passwords, tokens and the texts of files are not in it.
/// </summary>
internal sealed class CommandLog(string path, TimeProvider time)
{
    /// <summary>The file's name in the data directory.</summary>
    public const string FileName = "commands.log";

    // A command of a person has fewer; a client that sends thousands must not push all older lines out of the file.
    private const int MostArguments = 50;
    private const int MostError = 1000;
    private const string Hidden = "***";

    // People read it, too. What a terminal would obey is not in the texts.
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly LogFile _file = new(path);
    private readonly RefusalLog _refusals = new(time);

    /// <summary>A command that changes something begins.</summary>
    public void Begin(PbmMessage.Call call, Origin by, string from) => Write(by.Who, from, Entry(call, by));

    /// <summary>A command is over, or was refused.</summary>
    public void End(PbmMessage.Call call, Origin by, string from, int exitCode, string error)
    {
        var entry = Entry(call, by);
        entry["exitCode"] = exitCode;
        if (error.Length > 0)
            entry["error"] = OneLine.Of(WithoutSecrets(error, call).Replace('\n', ' '), MostError);
        Write(by.Who, from, entry);
    }

    /// <summary>A client was refused before it could ask for anything.</summary>
    public void Refuse(string from, string why)
    {
        if (_refusals.Of(why) is { } text)
            Write("somebody", from, new JsonObject { ["exitCode"] = ExitCodes.Failed, ["error"] = OneLine.Of(text, MostError) });
    }

    private static JsonObject Entry(PbmMessage.Call call, Origin by) => new()
    {
        ["id"] = by.Id,
        ["command"] = OneLine.Of($"{call.Palette} {call.Command}"),
        ["arguments"] = new JsonArray([.. call.Values.Take(MostArguments).OfType<CallValue>().Select(v => JsonValue.Create(
            OneLine.Of($"--{v.Argument}={Masked(v.Value)}" + (v.FileText is { } text ? $" ({text.Length} characters)" : "")))),
            .. call.Values.Length > MostArguments ? [JsonValue.Create($"and {call.Values.Length - MostArguments} more")]
                : Array.Empty<JsonValue>()]),
    };

    // Nothing of a node is set by pbm: such a value is refused, and may be the address of a database, however it is written.
    private static string Masked(string value) =>
        value.TrimStart(' ', '"').StartsWith("node.", StringComparison.OrdinalIgnoreCase) && value.Split('=', 2) is [var key, _]
            ? $"{key}={Hidden}"
            : value.Contains("://", StringComparison.Ordinal) ? DatabaseAddress.WithoutPassword(value) : value;

    private static string WithoutSecrets(string error, PbmMessage.Call call)
    {
        foreach (var value in call.Values.OfType<CallValue>().Select(v => v.Value).Where(v => Masked(v) != v))
        {
            error = error.Replace(value, Masked(value), StringComparison.Ordinal);
            if (value.Split('=', 2) is [_, { Length: > 0 } set])
                error = error.Replace(set, Hidden, StringComparison.Ordinal);
        }

        return error;
    }

    private void Write(string who, string from, JsonObject entry)
    {
        entry.Insert(0, "at", JsonValue.Create(time.GetUtcNow()));
        entry.Insert(1, "who", who);
        entry.Insert(2, "from", from);
        _file.Append($"{entry.ToJsonString(Json)}\n");
    }
}
