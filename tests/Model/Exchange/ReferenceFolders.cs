using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Model.Tests.Reference;

namespace Elastic.Model.Tests.Exchange;

/// <summary>The folders of make_exchange_reference.py, which nobody here wrote with Elastic.</summary>
internal static class ReferenceFolders
{
    private static readonly JsonDocument Document = Read();

    public static TheoryData<string> Cases => new(Document.RootElement.GetProperty("cases").EnumerateObject().Select(c => c.Name));

    /// <summary>(rows, T) tokens.</summary>
    public static int[][] Tokens => Document.RootElement.GetProperty("tokens").Deserialize<int[][]>()!;

    /// <summary>(rows, T, V).</summary>
    public static float[] Logits(string name) => ReferenceNumbers.Floats(Case(name).GetProperty("logits"));

    /// <summary>(V, C): the token embedding after rounding to the file's type.</summary>
    public static float[] Embedding(string name) => ReferenceNumbers.Floats(Case(name).GetProperty("embedding"));

    /// <summary>Writes the files of a case into a folder.</summary>
    public static string Write(string name, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Case(name).GetProperty("files").EnumerateObject())
            File.WriteAllBytes(Path.Combine(folder, file.Name), file.Value.GetBytesFromBase64());
        return folder;
    }

    /// <summary>Changes keys of a JSON file, here mostly a config; null removes one.</summary>
    public static void Edit(string path, params (string Key, JsonNode? Value)[] changes)
    {
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        foreach (var (key, value) in changes)
        {
            json.Remove(key);
            if (value is not null)
                json[key] = value;
        }

        File.WriteAllText(path, json.ToJsonString());
    }

    private static JsonElement Case(string name) => Document.RootElement.GetProperty("cases").GetProperty(name);

    private static JsonDocument Read()
    {
        using var stream = typeof(ReferenceFolders).Assembly.GetManifestResourceStream("exchange_reference.json")!;
        return JsonDocument.Parse(stream);
    }
}
