using System.Diagnostics;
using System.Text.Json;
using Elastic.Foundation.Certificates;
using Elastic.Testing;
using OpenAI_API;
using OpenAI_API.Chat;
using OpenAI_API.Completions;

namespace Elastic.Host.Tests.Serving;

/// <summary>Clients that others wrote.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task Curl_gets_a_completion_and_a_stream()
    {
        var curl = Curl;
        await using var served = await Served.StartAsync();
        var whole = JsonDocument.Parse(await RunAsync(
            curl, served, """{"prompt": "a", "max_tokens": 12, "seed": 6}""")).RootElement;
        var text = Served.Texts(whole).Single();
        Assert.Equal(12, text.Length);
        var stream = await RunAsync(curl, served, """{"prompt": "a", "max_tokens": 12, "seed": 6, "stream": true}""");
        Assert.EndsWith("data: [DONE]\n\n", stream, StringComparison.Ordinal);
        Assert.Equal(text, string.Concat(stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).SkipLast(1)
            .Select(e => Served.Texts(JsonDocument.Parse(e["data: ".Length..]).RootElement).Single())));
    }

    [Fact]
    public async Task A_client_package_of_the_api_lists_the_model_and_gets_a_completion_and_a_stream()
    {
        await using var served = await Served.StartAsync();
        var api = new OpenAIAPI("none") { ApiUrlFormat = $"http://{served.Endpoint}/{{0}}/{{1}}" };
        Assert.Equal("letters", Assert.Single(await api.Models.GetModelsAsync()).ModelID);
        var model = new OpenAI_API.Models.Model("letters");
        var request = new CompletionRequest("ab", model, max_tokens: 12, temperature: 0, numOutputs: 1);
        var whole = await api.Completions.CreateCompletionAsync(request);
        Assert.Equal(12, whole.Completions.Single().Text.Length);
        Assert.Equal("length", whole.Completions.Single().FinishReason);
        Assert.Equal(12, whole.Usage.CompletionTokens);
        request.Logprobs = 2;
        var logs = (await api.Completions.CreateCompletionAsync(request)).Completions.Single().Logprobs;
        Assert.Equal(whole.Completions.Single().Text, string.Concat(logs.Tokens));
        Assert.Equal((12, 12, 12), (logs.TokenLogprobs.Count, logs.TopLogprobs.Count, logs.TextOffsets.Count));
        request.Logprobs = null;
        var pieces = new List<string>();
        await foreach (var piece in api.Completions.StreamCompletionEnumerableAsync(request))
            pieces.Add(piece.Completions.Single().Text);
        Assert.Equal(whole.Completions.Single().Text, string.Concat(pieces));
        Assert.Equal(13, pieces.Count);
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => api.Completions.CreateCompletionAsync(
            new CompletionRequest("ab", model, max_tokens: 99)));
        Assert.Contains("the model's context is 64 tokens", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_clients_talk()
    {
        await using var served = await Served.StartAsync(context: 128, chatTemplate: "plain");
        var api = new OpenAIAPI("none") { ApiUrlFormat = $"http://{served.Endpoint}/{{0}}/{{1}}" };
        var request = new ChatRequest
        {
            Model = new OpenAI_API.Models.Model("letters"),
            Messages = [new(ChatMessageRole.System, "Be brief."), new(ChatMessageRole.User, "ab")],
            MaxTokens = 12,
            Temperature = 0,
        };
        var whole = await api.Chat.CreateChatCompletionAsync(request);
        var (answer, prompt) = (whole.Choices.Single().Message.TextContent, "Be brief.\nUser: ab\nAssistant:".Length);
        Assert.Equal(12, answer.Length);
        Assert.Equal(("length", 12, prompt), (whole.Choices[0].FinishReason, whole.Usage.CompletionTokens, whole.Usage.PromptTokens));
        var pieces = new List<string>();
        await foreach (var piece in api.Chat.StreamChatEnumerableAsync(request))
            pieces.Add(piece.Choices.Single().Delta.TextContent);
        Assert.Equal(answer, string.Concat(pieces));
        Assert.Equal(13, pieces.Count);

        var json = JsonDocument.Parse(await RunAsync(Curl, served, """
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "ab"}], "max_tokens": 12,
             "temperature": 0}
            """, path: "/v1/chat/completions")).RootElement;
        Assert.Equal(answer, json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Where_the_server_has_a_certificate_clients_show_one_of_a_person()
    {
        var (curl, folder) = (Curl, Directory.CreateTempSubdirectory("elastic-test-").FullName);
        try
        {
            using var authority = new TestAuthority(folder);
            using var credentials = Credentials.OfNode(authority.Issue("node", Role.Worker), TimeProvider.System);
            await using var served = await Served.StartAsync(transport: TlsTransport.ForPbm(credentials));
            string[] Showing(CertificateFiles files) => ["--insecure", "--cert", files.Certificate, "--key", files.Key];
            var answer = await RunAsync(curl, served, "{}", "https", Showing(authority.Issue("ann", Role.Reader)));
            Assert.Contains("letters", answer, StringComparison.Ordinal);
            foreach (var refused in (string[][])[["--insecure"], Showing(authority.Issue("other", Role.Worker))])
                await Assert.ThrowsAnyAsync<Exception>(() => RunAsync(curl, served, "{}", "https", refused));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_seed_s_certificate_is_believed_by_a_client_that_knows_the_authority()
    {
        var (curl, folder) = (Curl, Directory.CreateTempSubdirectory("elastic-test-").FullName);
        try
        {
            using var authority = new TestAuthority(folder);
            using var credentials = Credentials.OfNode(
                authority.Issue("seed", Role.Seed, names: ["localhost", "127.0.0.1"]), TimeProvider.System);
            await using var served = await Served.StartAsync(transport: TlsTransport.ForPbm(credentials));
            foreach (var role in new[] { Role.Admin, Role.Seed })
            {
                var files = authority.Issue($"{role}", role);
                Assert.Contains("letters", await RunAsync(
                    curl, served, "{}", "https", ["--cacert", files.Authority, "--cert", files.Certificate, "--key", files.Key]),
                    StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Curl
    {
        get
        {
            var curl = Programs.Find(Programs.SearchPath, "curl");
            Requirement.Need(curl is not null, "needs curl: apt-get install curl");
            return curl;
        }
    }

    private static async Task<string> RunAsync(
        string curl, Served served, string body, string scheme = "http", string[]? options = null, string path = "/v1/completions")
    {
        var start = new ProcessStartInfo(curl) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in (string[])[
            "--silent", "--show-error", "--no-buffer", "--max-time", "60", "--header", "Content-Type: application/json", "--data", body,
            .. options ?? [], $"{scheme}://{served.Endpoint}{path}"])
        {
            start.ArgumentList.Add(word);
        }
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, await error);
        return await output;
    }
}
