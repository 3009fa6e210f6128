using System.Globalization;
using System.Text;
using System.Text.Json;
using Elastic.Host.Commands;
using Elastic.Host.Generation;
using Elastic.Host.Tests.Commands;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Host.Tests.Evaluation;

/// <summary>Last words and multiple choice, against plain loops over logits, with a model that a test can think through.</summary>
public sealed class QuestionsTests : TemporaryFolder
{
    private const string Said = "ab cdcdcd";

    [Fact]
    public async Task Last_words_are_found_where_the_model_would_write_all_of_their_tokens()
    {
        var (data, _) = ExchangedModel.Write(Folder, fill: Saying);
        var file = Write(
            """{"text": "ab cd"}""", """{"text": "xy cd\n", "id": 7}""", "", """{"text": "ab cx"}""", """{"text": "ab xd"}""",
            """{"text": "abc cd"}""", """{"text": "abcd efgh ijkl mnop qrst"}""");
        var json = await JsonAsync("--last-word", file, "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal((6, 2), (json.GetProperty("texts").GetInt32(), json.GetProperty("found").GetInt32()));
        Assert.Equal(2 / 6.0, json.GetProperty("accuracy").GetDouble());
        var expected = Plain(data, ("ab", " cd"), ("xy", " cd"), ("ab", " cx"), ("ab", " xd"), ("abc", " cd"),
            ("abcd efgh ijkl mnop", " qrst")).Average();
        Assert.Equal(expected, json.GetProperty("natsPerWord").GetDouble(), 1e-5);
        Assert.Equal(Math.Exp(expected), json.GetProperty("perplexity").GetDouble(), 1e-3 * Math.Exp(expected));

        var (code, table, error) = await RunAsync("--last-word", file, "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        var lines = table.Split('\n');
        Assert.StartsWith("run tiny   round 4   ", lines[0], StringComparison.Ordinal);
        Assert.Equal("TEXTS  FOUND  ACCURACY  NATS/WORD  PERPLEXITY", lines[1]);
        Assert.StartsWith("    6      2    0.3333    " + expected.ToString("0.0000", CultureInfo.InvariantCulture), lines[2],
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_likeliest_choice_counts_by_its_sum_and_by_its_sum_for_each_byte()
    {
        var (data, _) = ExchangedModel.Write(Folder, fill: Saying);
        (string Context, string[] Choices, int Answer)[] questions =
        [
            ("ab", ["cx", "cd", "xd"], 1),                              // right by both
            ("ab", ["x", "cdcdcd"], 1),                                 // right only for each byte: a short one has fewer tokens to pay for
            ("ab", ["c", "xxxxxx"], 1),                                 // wrong by both
            ("", ["ab", "xb"], 0),                                      // begins a document
            ("ab ", ["ü", "ci", "cd", "cdx"], 2),                       // the file has the space
        ];
        var file = Write([.. questions.Select(q => JsonSerializer.Serialize(
            new { context = q.Context, choices = q.Choices, answer = q.Answer }))]);
        var (right, byByte) = (0, 0);
        foreach (var (context, choices, answer) in questions)
        {
            var space = context.Length == 0 || context[^1] == ' ' ? "" : " ";
            var nats = Plain(data, [.. choices.Select(c => (context.TrimEnd(), (context.EndsWith(' ') ? " " : space) + c))]);
            right += Array.IndexOf(nats, nats.Min()) == answer ? 1 : 0;
            double[] perByte = [.. nats.Zip(choices, (n, c) => n / Encoding.UTF8.GetByteCount(c))];
            byByte += Array.IndexOf(perByte, perByte.Min()) == answer ? 1 : 0;
        }
        Assert.True(right < byByte && byByte < questions.Length, $"{right} {byByte}");

        var json = await JsonAsync("--choices", file, "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal(
            (questions.Length, right, byByte),
            (json.GetProperty("questions").GetInt32(), json.GetProperty("right").GetInt32(), json.GetProperty("rightByByte").GetInt32()));
        Assert.Equal((double)byByte / questions.Length, json.GetProperty("accuracyByByte").GetDouble());
        Assert.Equal((1 / 3.0 + 1 / 2.0 + 1 / 2.0 + 1 / 2.0 + 1 / 4.0) / 5, json.GetProperty("chance").GetDouble(), 1e-12);
        var (_, table, _) = await RunAsync("--choices", file, "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal("QUESTIONS  ACCURACY  BY BYTE  CHANCE", table.Split('\n')[1]);
    }

    [Theory]
    [InlineData("--last-word", "{", "records.jsonl:2 is no JSON (")]
    [InlineData("--last-word", "[1]", "records.jsonl:2 is no JSON object: use one record a line, in braces")]
    [InlineData("--last-word", "{\"txt\": \"a b\"}", "records.jsonl:2: the field \"text\" is missing")]
    [InlineData("--last-word", "{\"text\": 7}", "records.jsonl:2: \"text\" = 7: use a string")]
    [InlineData("--last-word", "{\"text\": \"\\ud800 a\"}", "records.jsonl:2: \"text\" has half of a surrogate pair")]
    [InlineData("--last-word", "{\"text\": \" alone \"}", "records.jsonl:2: the text has no word before its last: use at least two")]
    [InlineData("--last-word", "{\"text\": \"a sixteenlettersss\"}",
        "records.jsonl:2: the text to score has 17 tokens, and the model's context is 16")]
    [InlineData("--choices", "{\"context\": \"a\", \"choices\": [\"b\"], \"answer\": 0}",
        "records.jsonl:2: \"choices\" = [\"b\"]: use a list of 2 to 100 strings")]
    [InlineData("--choices", "{\"context\": \"a\", \"choices\": [\"b\", \"\"], \"answer\": 0}",
        "records.jsonl:2: \"choices\" = \"\": use strings that are not empty")]
    [InlineData("--choices", "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 2}",
        "records.jsonl:2: \"answer\" = 2: use the right choice's number, 0 to 1")]
    [InlineData("--choices", "{\"context\": \"a\", \"choices\": [\"b\", \"c\"]}", "records.jsonl:2: the field \"answer\" is missing")]
    [InlineData("--choices", "", ": there is no question in it")]
    public async Task A_record_that_is_wrong_ends_the_test_with_its_line(string option, string record, string problem)
    {
        var (data, _) = ExchangedModel.Write(Folder, fill: Saying);
        var (code, output, error) = await RunAsync(option, Write("", record), "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal((ExitCodes.Failed, ""), (code, output));
        Assert.Contains(problem, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_not_found()
    {
        var (data, _) = ExchangedModel.Write(Folder, fill: Saying);
        var (code, _, error) = await RunAsync("--choices", "none.jsonl", "--run", ExchangedModel.Run, "--data-dir", data);
        Assert.Equal(ExitCodes.NotFound, code);
        Assert.Contains("--choices none.jsonl: there is no such file", error, StringComparison.Ordinal);
    }

    // A model that says "ab cdcdcd", whatever it has read: the n-th place predicts the n-th character after the first. Its blocks add
    // nothing; each character that is said has a direction of its own, in which the place's embedding lies.
    private static void Saying(ReplicaVectors vectors)
    {
        var (width, characters) = (ExchangedModel.Settings.Model.Width, Said.Distinct().ToList());
        Set("transformer.ln_f.weight", [.. Enumerable.Repeat(1f, width)], 0);
        foreach (var character in characters)
            Set("transformer.wte.weight", Direction(character, 0.8f), character * width);
        for (var place = 0; place < Said.Length - 1; place++)
            Set("transformer.wpe.weight", Direction(Said[place + 1], 50), place * width);

        float[] Direction(char character, float length)
        {
            var direction = new float[width];
            (direction[2 * characters.IndexOf(character)], direction[2 * characters.IndexOf(character) + 1]) = (length, -length);
            return direction;
        }

        void Set(string parameter, float[] values, long at) =>
            vectors.CopyFrom(VectorSet.Parameters, vectors.Layout[parameter].Offset + at, values);
    }

    // Sums of cross-entropies of the second texts after the first, one pass of the whole text for each token. A token is a byte.
    private static double[] Plain(string data, params (string Before, string Scored)[] texts)
    {
        using var model = TextModel.OfRun(new DataDirectory(data), new RunName(ExchangedModel.Run), Assert.Fail);
        using var device = model.Open(new DeviceId("cpu:0"), 1);
        return [.. texts.Select(text => Nats(device.Device, text.Before, text.Scored))];
    }

    private static double Nats(TrainingDevice device, string before, string scored)
    {
        int[] read = before.Length == 0 ? [256] : [.. Encoding.UTF8.GetBytes(before).Select(b => (int)b)];
        int[] all = [.. read, .. Encoding.UTF8.GetBytes(scored).Select(b => (int)b)];
        var start = Math.Max(0, all.Length - 1 - ExchangedModel.Settings.Model.Context);
        var nats = 0.0;
        for (var place = read.Length; place < all.Length; place++)
        {
            var logits = device.Logits(all.AsSpan(start..place));
            nats += Math.Log(logits.Sum(z => Math.Exp((double)z))) - logits[all[place]];
        }
        return nats;
    }

    private string Write(params string[] lines)
    {
        var path = Path.Combine(Folder, "records.jsonl");
        File.WriteAllText(path, string.Join('\n', lines));
        return path;
    }

    private static async Task<JsonElement> JsonAsync(params string[] options)
    {
        var (code, output, error) = await RunAsync([.. options, "--json"]);
        Assert.Equal((ExitCodes.Done, ""), (code, error));
        return JsonDocument.Parse(output).RootElement;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] options)
    {
        using StringWriter output = new(), error = new();
        var code = await ElasticCommandLine.RunAsync(["eval", .. options], output, error);
        return (code, output.ToString(), error.ToString());
    }
}
