using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Elastic.Host.Serving;

namespace Elastic.Host.Tests.Serving;

/// <summary>Requests that are wrong, in many ways: each gets a status and a sentence in the API's shape, and the server goes on.</summary>
public sealed class RefusalTests : IAsyncLifetime
{
    private Served _served = null!;

    public async ValueTask InitializeAsync() =>
        _served = await Served.StartAsync(limits: new ServeLimits { Queue = 20, BodyBytes = 10_000 });

    public async ValueTask DisposeAsync()
    {
        Assert.Empty(_served.Said);
        await _served.DisposeAsync();
    }

    [Theory]
    [InlineData("""{"prompt": """, 400, null, null)]
    [InlineData("[1]", 400, null, null)]
    [InlineData("""{"prompt": 7}""", 400, "prompt", null)]
    [InlineData("""{"prompt": []}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [[]]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": ["a", 7]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [7, "a"]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [257]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [-1]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [1.5]}""", 400, "prompt", null)]
    [InlineData("""{"prompt": [[[[[[[[[1]]]]]]]]]}""", 400, null, null)]
    [InlineData("""{"prompt": "\ud800"}""", 400, "prompt", null)]
    [InlineData("""{"\ud800": 1}""", 400, null, null)]
    [InlineData("""{"model": "gpt-4"}""", 404, "model", "model_not_found")]
    [InlineData("""{"model": 3}""", 400, "model", null)]
    [InlineData("""{"max_tokens": 0}""", 400, "max_tokens", null)]
    [InlineData("""{"max_tokens": 64}""", 400, "max_tokens", "context_length_exceeded")]
    [InlineData("""{"max_tokens": 99999999999}""", 400, "max_tokens", null)]
    [InlineData("""{"max_tokens": "many"}""", 400, "max_tokens", null)]
    [InlineData("""{"max_tokens": 1, "prompt": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}""", 400, "max_tokens",
        "context_length_exceeded")]
    [InlineData("""{"temperature": -0.1}""", 400, "temperature", null)]
    [InlineData("""{"temperature": 1e999}""", 400, "temperature", null)]
    [InlineData("""{"temperature": true}""", 400, "temperature", null)]
    [InlineData("""{"top_p": 1.1}""", 400, "top_p", null)]
    [InlineData("""{"presence_penalty": 3}""", 400, "presence_penalty", null)]
    [InlineData("""{"n": 0}""", 400, "n", null)]
    [InlineData("""{"n": 129}""", 400, "n", null)]
    [InlineData("""{"n": 100, "prompt": ["a", "b"]}""", 400, "n", null)]
    [InlineData("""{"n": 100, "prompt": ["a", 7]}""", 400, "n", null)]           // counted before any prompt is looked at
    [InlineData("""{"n": 21}""", 429, null, "rate_limit_exceeded")]
    [InlineData("""{"best_of": 2}""", 400, "best_of", "unsupported_parameter")]
    [InlineData("""{"stop": ["a", "b", "c", "d", "e"]}""", 400, "stop", null)]
    [InlineData("""{"stop": ""}""", 400, "stop", null)]
    [InlineData("""{"stop": [1]}""", 400, "stop", null)]
    [InlineData("""{"stream": 1}""", 400, "stream", null)]
    [InlineData("""{"seed": 1.5}""", 400, "seed", null)]
    [InlineData("""{"suffix": "b"}""", 400, "suffix", "unsupported_parameter")]
    [InlineData("""{"logprobs": 6}""", 400, "logprobs", null)]
    [InlineData("""{"logprobs": -1}""", 400, "logprobs", null)]
    [InlineData("""{"logprobs": true}""", 400, "logprobs", null)]
    [InlineData("""{"logprobs": 2, "echo": true}""", 400, "logprobs", "unsupported_parameter")]
    [InlineData("""{"logit_bias": {"50": 1}}""", 400, "logit_bias", "unsupported_parameter")]
    public async Task A_request_that_is_wrong_says_what_and_where(string body, int status, string? param, string? code)
    {
        var error = await ErrorAsync(status, new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        });
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal(status == 429 ? "requests" : "invalid_request_error", error.GetProperty("type").GetString());
        Assert.Contains(": ", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Single(Served.Texts(await _served.CompleteAsync(new
        {
            prompt = "a",
            suffix = (string?)null,
            logprobs = (int?)null,
            n = (int?)null,
            logit_bias = new { },
            best_of = 1,
        })));
    }

    [Theory]
    [InlineData("GET", "/v1/completions", 405)]
    [InlineData("POST", "/v1/models", 405)]
    [InlineData("GET", "/v1/models/gpt-4", 404)]
    [InlineData("GET", "/v1/chat/completions", 405)]
    [InlineData("GET", "/", 404)]
    public async Task What_is_not_served_says_what_is(string method, string path, int status)
    {
        var error = await ErrorAsync(status, new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Contains("use ", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_not_said_to_be_json_or_is_too_long_is_refused()
    {
        HttpRequestMessage Request(string body, string type) => new(HttpMethod.Post, "/v1/completions")
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = new MediaTypeHeaderValue(type) } },
        };
        await ErrorAsync(415, Request("{}", "application/x-www-form-urlencoded"));
        var longer = await ErrorAsync(413, Request($$"""{"prompt": "{{new string('a', 10_000)}}"}""", "application/json"));
        Assert.Equal("the body has more than 9.8 KiB: send less at once", longer.GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_web_page_is_refused()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.Add("Origin", "https://example.org");
        await ErrorAsync(403, request);
        request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.Host = "rebound.example.org";
        await ErrorAsync(403, request);
    }

    private async Task<JsonElement> ErrorAsync(int status, HttpRequestMessage request)
    {
        using var answer = await _served.Client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)answer.StatusCode, text);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        return JsonDocument.Parse(text).RootElement.GetProperty("error");
    }
}
