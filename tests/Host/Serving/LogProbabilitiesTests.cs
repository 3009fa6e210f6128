using System.Text.Json;
using Elastic.Host.Generation;
using Elastic.Host.Tests.Commands;
using Elastic.Messages;
using Elastic.Model.Generation;
using Elastic.Testing;

namespace Elastic.Host.Tests.Serving;

/// <summary>The API's logprobs, against a softmax in double precision over the logits of the whole text.</summary>
public sealed class LogProbabilitiesTests : TemporaryFolder
{
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task Each_token_has_the_log_probability_that_the_model_gives_it_and_those_of_the_likeliest(int likeliest)
    {
        await using var served = await Served.StartAsync(model: OpenRandom());
        // Hot, so that tokens are drawn that are not among the likeliest.
        var request = new { prompt = "Gets", max_tokens = 10, seed = 5, temperature = 2, frequency_penalty = 1, logprobs = likeliest };
        var choice = (await served.CompleteAsync(request)).GetProperty("choices")[0];
        var logs = choice.GetProperty("logprobs");
        var (tokens, values, top) = (Strings(logs, "tokens"), logs.GetProperty("token_logprobs"), logs.GetProperty("top_logprobs"));
        Assert.Equal((10, 10, 10), (tokens.Length, values.GetArrayLength(), top.GetArrayLength()));

        // What was drawn is known by drawing it again.
        using var model = OpenRandom();
        using var device = model.Open(new DeviceId("cpu:0"), 1);
        List<int> text = [.. "Gets"u8.ToArray().Select(b => (int)b)];
        using var generator = new TextGenerator(device.Device, 257);
        var generated = generator.Add(text, 10, new SamplingSettings(2, 0, 1, 5) { FrequencyPenalty = 1 });
        while (generator.Texts.Count > 0)
            generator.Step();
        Assert.DoesNotContain(256, generated.Tokens);
        foreach (var (place, token) in generated.Tokens.Skip(4).Index())
        {
            var logits = device.Device.Logits([.. generated.Tokens.Take(4 + place)]);
            var log = Math.Log(logits.Sum(z => Math.Exp((double)z)));
            Assert.Equal(model.Tokenizer.Decode([token]), tokens[place]);
            Assert.Equal(logits[token] - log, values[place].GetDouble(), 1e-5);
            var listed = top[place].EnumerateObject().Select(p => p.Value.GetDouble()).ToList();
            var expected = logits.Index().OrderByDescending(z => z.Item).ThenBy(z => z.Index).Take(likeliest)
                .Append((token, logits[token])).DistinctBy(z => z.Item1)
                // Bytes that are no characters have one text.
                .GroupBy(z => model.Tokenizer.Decode([z.Item1])).Select(g => g.Max(z => z.Item2) - log).OrderDescending().ToList();
            Assert.Equal(expected.Count, listed.Count);
            foreach (var (of, value) in expected.Zip(listed))
                Assert.Equal(of, value, 1e-5);
        }
    }

    [Fact]
    public async Task Offsets_count_the_characters_of_prompt_and_text_in_one_answer_and_in_a_stream()
    {
        await using var served = await Served.StartAsync();
        var request = new { prompt = "aü", max_tokens = 12, seed = 2, n = 2, logprobs = 1 };
        var choices = (await served.CompleteAsync(request)).GetProperty("choices").EnumerateArray().ToList();
        foreach (var choice in choices)
        {
            var logs = choice.GetProperty("logprobs");
            Assert.Equal(choice.GetProperty("text").GetString(), string.Concat(Strings(logs, "tokens")));
            Assert.Equal(Enumerable.Range(2, 12), logs.GetProperty("text_offset").EnumerateArray().Select(o => o.GetInt32()));
        }
        var streamed = new List<string>[] { [], [] };
        var stream = new { request.prompt, request.max_tokens, request.seed, request.n, request.logprobs, stream = true };
        foreach (var data in (await served.StreamAsync(stream)).SkipLast(1))
        {
            var choice = JsonDocument.Parse(data).RootElement.GetProperty("choices")[0];
            var logs = choice.GetProperty("logprobs");
            Assert.Equal(choice.GetProperty("text").GetString(), string.Concat(Strings(logs, "tokens")));
            streamed[choice.GetProperty("index").GetInt32()].AddRange(logs.GetProperty("token_logprobs").EnumerateArray()
                .Zip(logs.GetProperty("text_offset").EnumerateArray(), (l, o) => $"{l} {o}"));
        }
        Assert.Equal(
            choices.Select(c => c.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray()
                .Select((l, i) => $"{l} {2 + i}").ToList()),
            streamed);
        var without = (await served.CompleteAsync(new { prompt = "a" })).GetProperty("choices")[0];
        Assert.Equal(JsonValueKind.Null, without.GetProperty("logprobs").ValueKind);
    }

    [Fact]
    public async Task Tokens_of_a_stop_string_and_an_end_of_text_are_not_listed()
    {
        await using var served = await Served.StartAsync();
        var whole = Served.Texts(await served.CompleteAsync(new { prompt = "a", max_tokens = 40, seed = 2 })).Single();
        var stop = whole.Substring(5, 3);
        var expected = whole[..whole.IndexOf(stop, StringComparison.Ordinal)];
        var stopped = (await served.CompleteAsync(new { prompt = "a", max_tokens = 40, seed = 2, stop, logprobs = 0 }))
            .GetProperty("choices")[0];
        Assert.Equal(expected, string.Concat(Strings(stopped.GetProperty("logprobs"), "tokens")));
        await using var ending = await Served.StartAsync(endings: true);
        var ended = (await ending.CompleteAsync(new { prompt = "a", max_tokens = 60, seed = 3, n = 8, logprobs = 2 }))
            .GetProperty("choices").EnumerateArray().First(c => c.GetProperty("finish_reason").GetString() == "stop");
        Assert.Equal(ended.GetProperty("text").GetString(), string.Concat(Strings(ended.GetProperty("logprobs"), "tokens")));
    }

    private TextModel OpenRandom()
    {
        var (data, _) = ExchangedModel.Write(Path.Combine(Folder, Path.GetRandomFileName()));
        return TextModel.OfRun(new DataDirectory(data), new RunName(ExchangedModel.Run), Assert.Fail);
    }

    private static string[] Strings(JsonElement logs, string name) =>
        [.. logs.GetProperty(name).EnumerateArray().Select(t => t.GetString()!)];
}
