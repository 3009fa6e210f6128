using System.Text.Json;
using Elastic.Host.Serving;
using Elastic.Host.Tests.Generation;
using Elastic.Messages;
using Elastic.Model.Generation;

namespace Elastic.Host.Tests.Serving;

/// <summary>What clients get of a server, over real connections.</summary>
public sealed class CompletionsTests
{
    [Fact]
    public async Task A_prompt_is_continued_with_the_tokens_that_its_seed_draws()
    {
        await using var served = await Served.StartAsync();
        var answer = await served.CompleteAsync(new { model = "letters", prompt = "abc", max_tokens = 20, seed = 5 });
        var text = Assert.Single(Served.Texts(answer));
        Assert.Equal(Alone("abc", 20, new SamplingSettings(Seed: 5)), text);
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal("letters", answer.GetProperty("model").GetString());
        Assert.Equal(64, answer.GetProperty("system_fingerprint").GetString()!.Length);
        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("""{"prompt_tokens":3,"completion_tokens":20,"total_tokens":23}""", answer.GetProperty("usage").GetRawText());
        Assert.Empty(served.Said);
    }

    [Fact]
    public async Task Every_knob_of_sampling_reaches_the_draws()
    {
        await using var served = await Served.StartAsync();
        var answer = await served.CompleteAsync(new
        {
            prompt = "abc",
            max_tokens = 30,
            seed = -1,
            temperature = 1.5,
            top_p = 0.8,
            frequency_penalty = 0.5,
            presence_penalty = -0.5,
        });
        Assert.Equal(
            Alone("abc", 30, new SamplingSettings(1.5, 0, 0.8, ulong.MaxValue) { FrequencyPenalty = 0.5, PresencePenalty = -0.5 }),
            Served.Texts(answer).Single());
    }

    [Fact]
    public async Task Without_a_seed_texts_differ_and_without_a_prompt_a_document_begins()
    {
        await using var served = await Served.StartAsync();
        var first = await served.CompleteAsync(new { max_tokens = 40 });
        Assert.Equal(1, first.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.NotEqual(Served.Texts(first), Served.Texts(await served.CompleteAsync(new { max_tokens = 40, prompt = "" })));
        var other = await served.CompleteAsync(new { stop = Array.Empty<string>(), user = "unknown fields are ignored" });
        Assert.Equal(16, Served.Texts(other).Single().Length);
    }

    [Fact]
    public async Task A_stream_has_the_text_in_pieces_then_why_it_ended_and_how_many_tokens_there_were()
    {
        await using var served = await Served.StartAsync();
        var whole = Served.Texts(await served.CompleteAsync(new { prompt = "a", max_tokens = 25, seed = 1 })).Single();
        var events = await served.StreamAsync(
            new { prompt = "a", max_tokens = 25, seed = 1, stream = true, stream_options = new { include_usage = true } });
        Assert.Equal("[DONE]", events[^1]);
        var pieces = events.SkipLast(2).Select(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0]).ToList();
        Assert.Equal(whole, string.Concat(pieces.Select(p => p.GetProperty("text").GetString())));
        Assert.Equal(26, pieces.Count);
        Assert.All(pieces.SkipLast(1), p => Assert.Equal(JsonValueKind.Null, p.GetProperty("finish_reason").ValueKind));
        Assert.Equal("length", pieces[^1].GetProperty("finish_reason").GetString());
        var usage = JsonDocument.Parse(events[^2]).RootElement;
        Assert.Empty(usage.GetProperty("choices").EnumerateArray());
        Assert.Equal(25, usage.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.DoesNotContain(
            await served.StreamAsync(new { prompt = "a", stream = true }), e => e.Contains("usage", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stop_string_that_spans_tokens_ends_the_text_before_it_in_a_stream_too()
    {
        await using var served = await Served.StartAsync();
        var whole = Served.Texts(await served.CompleteAsync(new { prompt = "a", max_tokens = 40, seed = 2 })).Single();
        var stop = whole.Substring(20, 4);
        var expected = whole[..whole.IndexOf(stop, StringComparison.Ordinal)];
        var request = new { prompt = "a", max_tokens = 40, seed = 2, stop = new[] { "xyz", stop }, stream = true };
        var pieces = (await served.StreamAsync(request)).SkipLast(1)
            .Select(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0]).ToList();
        Assert.Equal(expected, string.Concat(pieces.Select(p => p.GetProperty("text").GetString())));
        Assert.Equal("stop", pieces[^1].GetProperty("finish_reason").GetString());
        var answer = await served.CompleteAsync(new { prompt = "a", max_tokens = 40, seed = 2, stop });
        Assert.Equal(expected, Served.Texts(answer).Single());
        Assert.Equal(expected.Length + stop.Length, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task The_end_of_a_document_ends_the_text()
    {
        await using var served = await Served.StartAsync(endings: true);
        var answer = await served.CompleteAsync(new { prompt = "a", max_tokens = 60, seed = 3, n = 8 });
        var choices = answer.GetProperty("choices").EnumerateArray().ToList();
        Assert.Contains(
            choices, c => c.GetProperty("finish_reason").GetString() == "stop" && c.GetProperty("text").GetString()!.Length < 60);
    }

    [Fact]
    public async Task Several_texts_of_several_prompts_come_in_order_each_as_if_it_were_alone()
    {
        await using var served = await Served.StartAsync(devices: 2);
        var both = Served.Texts(await served.CompleteAsync(new { prompt = new[] { "ab", "c" }, n = 3, max_tokens = 10, seed = 4 }));
        Assert.Equal(6, both.Distinct().Count());
        Assert.Equal(both[..3], Served.Texts(await served.CompleteAsync(new { prompt = "ab", n = 3, max_tokens = 10, seed = 4 })));
        var alone = await served.CompleteAsync(new { prompt = new[] { (int)'c' }, max_tokens = 10, seed = 4 });
        Assert.Equal(both[3], Served.Texts(alone).Single());
        var streamed = new string[6];
        var request = new { prompt = new int[][] { ['a', 'b'], ['c'] }, n = 3, max_tokens = 10, seed = 4, stream = true, echo = true };
        foreach (var data in (await served.StreamAsync(request)).SkipLast(1))
        {
            var choice = JsonDocument.Parse(data).RootElement.GetProperty("choices")[0];
            streamed[choice.GetProperty("index").GetInt32()] += choice.GetProperty("text").GetString();
        }
        Assert.Equal(both.Select((t, i) => (i < 3 ? "ab" : "c") + t), streamed);
    }

    [Fact]
    public async Task Requests_at_the_same_time_get_the_texts_that_they_get_one_after_another()
    {
        await using var served = await Served.StartAsync(limits: new ServeLimits { Parallel = 3 });
        var requests = Enumerable.Range(0, 8)
            .Select(i => new { prompt = new string('a', 1 + 5 * i), max_tokens = 5 + 2 * i, seed = i }).ToList();
        var alone = new List<string>();
        foreach (var request in requests)
            alone.Add(Served.Texts(await served.CompleteAsync(request)).Single());
        var together = await Task.WhenAll(requests.Select(r => served.CompleteAsync(r)));
        Assert.Equal(alone, together.Select(t => Served.Texts(t).Single()));
    }

    [Fact]
    public async Task A_client_that_goes_frees_its_place()
    {
        // Too long to end by itself meanwhile.
        await using var served = await Served.StartAsync(context: 100_000, limits: new ServeLimits { Parallel = 1 });
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions"))
        {
            request.Content = new StringContent(
                """{"prompt": "a", "max_tokens": 99000, "stream": true}""", System.Text.Encoding.UTF8, "application/json");
            using var answer = await served.Client.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
            Assert.StartsWith("data: ", await reader.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        Assert.Single(Served.Texts(await served.CompleteAsync(new { prompt = "a" })));
    }

    [Fact]
    public async Task A_text_that_nobody_waits_for_and_one_that_the_end_of_the_server_meets_end_before_their_last_token()
    {
        using var model = LettersModel.Open(100_000);
        using var engine = await InferenceEngine.StartAsync(model, [new DeviceId("cpu:0")], 1, new ServeLimits(), _ => { });
        TextJob[] jobs = [new([1], 90_000, new SamplingSettings()), new([1], 90_000, new SamplingSettings())];
        Assert.True(engine.TrySubmit(jobs));
        Assert.True(await jobs[0].Tokens.WaitToReadAsync(TestContext.Current.CancellationToken));
        jobs[0].Cancel();
        Assert.InRange(await ReadAsync(jobs[0]), 1, 89_999);
        engine.Dispose();
        var ended = await Assert.ThrowsAsync<ApiException>(() => ReadAsync(jobs[1]));
        Assert.Equal(503, ended.Status);
        Assert.Equal(503, Assert.Throws<ApiException>(() => engine.TrySubmit(jobs)).Status);
    }

    [Fact]
    public async Task The_model_is_listed()
    {
        await using var served = await Served.StartAsync();
        var list = JsonDocument.Parse(await served.Client.GetStringAsync("/v1/models", TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal("letters", list.GetProperty("data")[0].GetProperty("id").GetString());
        var one = await served.Client.GetStringAsync("/v1/models/letters", TestContext.Current.CancellationToken);
        Assert.Equal(list.GetProperty("data")[0].GetRawText(), one);
        Assert.Equal("""{"status":"ok"}""", await served.Client.GetStringAsync("/health", TestContext.Current.CancellationToken));
    }

    private static async Task<int> ReadAsync(TextJob job)
    {
        var count = 0;
        await foreach (var _ in job.Tokens.ReadAllAsync(TestContext.Current.CancellationToken))
            count++;
        return count;
    }

    private static string Alone(string prompt, int count, SamplingSettings sampling)
    {
        using var model = LettersModel.Open();
        using var device = model.Open(new DeviceId("cpu:0"), 1);
        using var generator = new TextGenerator(device.Device, model.Tokenizer.VocabularySize);
        var tokens = model.Encode(prompt);
        var text = generator.Add(tokens, count, sampling);
        while (generator.Texts.Count > 0)
            generator.Step();
        return model.Tokenizer.Decode([.. text.Tokens.Skip(tokens.Count)]);
    }
}
