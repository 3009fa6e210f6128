using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Host.Tests.Generation;
using Elastic.Testing;

namespace Elastic.Host.Tests.Serving;

/// <summary>Conversations: POST /v1/chat/completions.</summary>
public sealed class ChatTests : TemporaryFolder
{
    private const string Path = "/v1/chat/completions";

    private static readonly object[] Hello = [new { role = "user", content = "a" }];

    [Fact]
    public async Task An_answer_is_the_completion_of_the_template_as_a_message()
    {
        await using var served = await Served.StartAsync(chatTemplate: "plain");
        var text = Served.Texts(await served.CompleteAsync(new { prompt = "User: a\nAssistant:", max_tokens = 20, seed = 5 })).Single();
        object request = new { messages = Hello, max_completion_tokens = 20, seed = 5, model = "letters" };
        var answer = await served.CompleteAsync(request, Path);
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        var choice = Assert.Single(answer.GetProperty("choices").EnumerateArray());
        Assert.Equal(("assistant", text), (Of(choice, "role"), Of(choice, "content")));
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        Assert.Equal((18, 20, 38), (Usage("prompt_tokens"), Usage("completion_tokens"), Usage("total_tokens")));
        // Without a bound an answer fills the context; parts and newer names of roles mean the same.
        var full = await served.CompleteAsync(new { messages = Hello, seed = 5 }, Path);
        Assert.Equal(64 - 18, full.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        var parts = await served.CompleteAsync(
            new
            {
                messages = new object[] { new { role = "user", content = new[] { new { type = "text", text = "a" } } } },
                max_tokens = 20,
                seed = 5,
            }, Path);
        Assert.Equal(text, Of(parts.GetProperty("choices")[0], "content"));

        int Usage(string name) => answer.GetProperty("usage").GetProperty(name).GetInt32();
        static string? Of(JsonElement choice, string name) => choice.GetProperty("message").GetProperty(name).GetString();
    }

    [Fact]
    public async Task A_stream_is_deltas_with_the_role_first_and_the_usage_last()
    {
        await using var served = await Served.StartAsync(chatTemplate: "plain");
        var whole = await served.CompleteAsync(new { messages = Hello, max_tokens = 9, seed = 5, n = 2 }, Path);
        var events = await served.StreamAsync(
            new { messages = Hello, max_tokens = 9, seed = 5, n = 2, stream = true, stream_options = new { include_usage = true } }, Path);
        Assert.Equal("[DONE]", events[^1]);
        var chunks = events.SkipLast(1).Select(e => JsonDocument.Parse(e).RootElement).ToList();
        Assert.All(chunks, c => Assert.Equal("chat.completion.chunk", c.GetProperty("object").GetString()));
        Assert.Equal(18, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        for (var i = 0; i < 2; i++)
        {
            var deltas = chunks.SkipLast(1).Select(c => c.GetProperty("choices")[0])
                .Where(c => c.GetProperty("index").GetInt32() == i).ToList();
            Assert.Equal(
                [true, .. Enumerable.Repeat(false, deltas.Count - 1)],
                deltas.Select(d => d.GetProperty("delta").TryGetProperty("role", out _)));
            Assert.Equal(
                whole.GetProperty("choices")[i].GetProperty("message").GetProperty("content").GetString(),
                string.Concat(deltas.Select(d => d.GetProperty("delta").GetProperty("content").GetString())));
            Assert.Equal("length", deltas[^1].GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public async Task An_answer_ends_with_the_token_that_ends_a_turn()
    {
        // Token 256 is the mark of the template, and no end of text.
        using var letters = LettersModel.Open(context: 512, endings: true);
        var json = JsonNode.Parse(TokenizerFiles.Of(letters.Tokenizer, 64)["tokenizer.json"])!;
        json["added_tokens"]![0]!["content"] = "<|im_end|>";
        json["model"]!["vocab"]!.AsObject().Remove("<|endoftext|>");
        var tokenizer = FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(json.ToJsonString()), 255, "t"));
        await using var served = await Served.StartAsync(model: letters with { Tokenizer = tokenizer }, chatTemplate: "chatml");
        var answer = (await served.CompleteAsync(new { messages = Hello, seed = 5 }, Path)).GetProperty("choices")[0];
        Assert.Equal("stop", answer.GetProperty("finish_reason").GetString());
        Assert.Matches("^[a-h]*$", answer.GetProperty("message").GetProperty("content").GetString());
        // The same token is nothing special where no conversation goes on.
        var text = await served.CompleteAsync(new { prompt = "a", max_tokens = 400, seed = 5 });
        Assert.Equal("length", text.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("""{}""", 400, "messages", "messages are missing")]
    [InlineData("""{"messages": []}""", 400, "messages", "no list of at least one message")]
    [InlineData("""{"messages": ["a"]}""", 400, "messages", "message 1 is no object")]
    [InlineData("""{"messages": [{"role": "user"}]}""", 400, "messages", "message 1 has no content")]
    [InlineData("""{"messages": [{"role": "user", "content": 7}]}""", 400, "messages", "message 1 has a content that is no text")]
    [InlineData("""{"messages": [{"role": "user", "content": "\ud800"}]}""", 400, "messages", "message 1 has half of a surrogate pair")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}""", 400, "messages", "has a part that is no text")]
    [InlineData("""{"messages": [{"role": "tool", "content": "a"}]}""", 400, "messages", "has the role \"tool\": use one of system, user")]
    [InlineData("""{"messages": [{"role": "assistant", "content": "a"}]}""", 400, "messages",
        "message 1, the last one, is of the assistant")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "tools": [{"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}]}""", 400,
        "tools", "tools is not served here")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}}""", 400, "response_format",
        "response_format is not served here")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "logprobs": true}""", 400, "logprobs", "logprobs is not served here")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "max_completion_tokens": 99}""", 400, "max_completion_tokens",
        "use max_completion_tokens = 46 at most")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "model": "b"}""", 404, "model", "is not served here")]
    public async Task A_request_that_is_wrong_says_what_and_where(string body, int status, string param, string why)
    {
        await using var served = await Served.StartAsync(chatTemplate: "plain");
        using var answer = await served.Client.PostAsync(
            new Uri(Path, UriKind.Relative), new StringContent(body, Encoding.UTF8, "application/json"),
            TestContext.Current.CancellationToken);
        var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
            .RootElement.GetProperty("error");
        Assert.Equal((status, param), ((int)answer.StatusCode, error.GetProperty("param").GetString()));
        Assert.Contains(why, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Empty(served.Said);
    }

    [Fact]
    public async Task Messages_for_which_the_template_writes_nothing_are_refused_and_the_server_goes_on()
    {
        var template = System.IO.Path.Combine(Folder, "contents.jinja");
        await File.WriteAllTextAsync(
            template, "{% for message in messages %}{{ message.content }}{% endfor %}", TestContext.Current.CancellationToken);
        await using var served = await Served.StartAsync(chatTemplate: template);
        foreach (var streams in (bool[])[false, true])
        {
            using var answer = await served.Client.PostAsJsonAsync(
                Path, new { messages = new object[] { new { role = "user", content = "" } }, stream = streams },
                TestContext.Current.CancellationToken);
            var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
                .RootElement.GetProperty("error");
            Assert.Equal((400, "messages"), ((int)answer.StatusCode, error.GetProperty("param").GetString()));
            Assert.Contains("writes nothing for these messages", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
        var text = await served.CompleteAsync(new { messages = Hello, max_tokens = 3 }, Path);
        Assert.Equal(1, text.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        Assert.Empty(served.Said);
    }

    [Fact]
    public async Task A_model_without_a_template_does_not_talk_and_says_what_to_do()
    {
        await using var served = await Served.StartAsync();
        using var answer = await served.Client.PostAsJsonAsync(Path, new { messages = Hello }, TestContext.Current.CancellationToken);
        var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
            .RootElement.GetProperty("error");
        Assert.Equal((404, "no_chat_template"), ((int)answer.StatusCode, error.GetProperty("code").GetString()));
        Assert.Equal(
            "\"letters\" has no chat template: use /v1/completions, or start the server with --chat-template plain, chatml, llama3, or the "
                + "folder or file of one", error.GetProperty("message").GetString());
    }

    [Fact]
    public void A_model_talks_by_the_template_that_a_person_names_or_not_at_all()
    {
        using var letters = LettersModel.Open();
        Assert.Null(ModelChat.Of(letters, null));
        Assert.Equal(["<|im_end|>"], ModelChat.Of(letters, "chatml")!.Stops);
        Assert.Contains("use --chat-template plain, chatml, llama3, or the folder", Assert.Throws<NotFoundException>(
            () => ModelChat.Of(letters, "/nowhere")).Message, StringComparison.Ordinal);
    }
}
