using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Hostile;

/// <summary>
/// What a hostile process sends to the data plane and to pbm's port of a node. Nothing of it may succeed, whoever sends it; an answer that
/// says "done" is a hole.
/// </summary>
internal static class HostileRequests
{
    // What is whole is answered, or its connection closed, sooner or later: a busy node may say "done" late. Of what is cut short a node
    // waits for the rest.
    private static readonly TimeSpan Whole = TimeSpan.FromSeconds(30), CutShort = TimeSpan.FromSeconds(1);

    private const string Digest = "0000000000000000000000000000000000000000000000000000000000000000";

    /// <summary>Requests of HTTP: files by paths, changes, web pages, lengths that nothing has, and what is no HTTP at all.</summary>
    /// <returns>The answers that begin as a success does; none where all is well.</returns>
    public static async Task<IReadOnlyList<string>> AskDataPlaneAsync(Transport transport, Endpoint node, CancellationToken cancel)
    {
        const string page = "Elastic-Leave: yes\r\nOrigin: http://evil.example\r\n";
        string[] whole =
        [
            Request("GET /blobs/../../../../../../etc/passwd"), Request("GET /blobs/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
            Request("GET /../node-id"), Request($"GET /blobs/{Digest}"), Request($"GET /blobs/{Digest.ToUpperInvariant()[1..]}x"),
            Request($"GET /blobs/{Digest}", "Range: bytes=0-99999999999999999999\r\n"),
            Request($"GET /blobs/{Digest}", "Range: bytes=-1\r\n"),
            Request($"DELETE /blobs/{Digest}"), Request($"PUT /blobs/{Digest}", "Content-Length: 1\r\n", "x"),
            Request("POST /leave", "Content-Length: 0\r\n"), Request("POST /leave", page + "Content-Length: 0\r\n"),
            Request("POST /leave", "Elastic-Leave: yes\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n"),
            $"POST /leave HTTP/1.1\r\nHost: evil.example\r\nElastic-Leave: yes\r\nContent-Length: 0\r\n\r\n",
            Request("POST /liveness", "Content-Length: 4\r\n", "\0\0\0\0"),
            Request("GET /" + new string('x', 100_000)), Request("GET /health", $"X: {new string('x', 100_000)}\r\n"),
        ];
        string[] cutShort =
        [
            Request("POST /liveness", "Content-Length: 99999999999\r\n"), "\u0016\u0003\u0001\0\u0005\u0001", "x", "\r\n\r\n\r\n",
        ];
        return [.. (await AnswersAsync(transport, node, whole, cutShort, isAnswer: "\r\n\r\n", cancel))
            .Where(a => a.Answer.StartsWith("HTTP/1.1 2", StringComparison.Ordinal))
            .Select(a => $"{a.Sent.Split("\r\n")[0]}: {a.Answer.Split("\r\n")[0]}")];

        string Request(string line, string headers = "", string body = "") =>
            $"{line} HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\n{headers}\r\n{body}";
    }

    /// <summary>What clients without the right to be served send to pbm's port: greetings, commands before them, and no protocol.</summary>
    /// <returns>The answers that begin as a success does; none where all is well.</returns>
    public static async Task<IReadOnlyList<string>> AskPbmAsync(Transport transport, Endpoint seed, CancellationToken cancel)
    {
        const string hello = """{"type":"hello","protocol":1,"version":"0.1.0"}""", token = ",\"token\":\"";
        var (delete, stop) = (Call("delete"), Call("stop"));
        string[] greetings = [hello, hello[..^1] + token + new string('f', 64) + "\"}", hello[..^1] + token + "\"}"];
        string[] whole =
        [
            .. greetings.SelectMany(g => new[] { $"{g}\n{delete}\n", $"{g}\n{stop}\n" }), $"{delete}\n", $"{stop}\n{hello}\n",
            new string('[', 100_000) + "\n", new string('x', 2 * PbmStream.MaxLineBytes), "null\n", "GET / HTTP/1.1\r\n\r\n",
        ];
        return [.. (await AnswersAsync(transport, seed, whole, cutShort: ["\0\0\0"], isAnswer: "\"error\":", cancel))
            .Where(a => a.Answer.Contains("\"exitCode\":0", StringComparison.Ordinal))
            .Select(a => $"{a.Sent[..Math.Min(80, a.Sent.Length)]}: {a.Answer}")];
    }

    private static string Call(string command) =>
        $$"""{"type":"call","palette":"run","command":"{{command}}","values":[{"argument":"name","value":"tiny"}],"json":true}""";

    private static Task<(string Sent, string Answer)[]> AnswersAsync(
        Transport transport, Endpoint at, string[] whole, string[] cutShort, string isAnswer, CancellationToken cancel)
    {
        return Task.WhenAll([.. whole.Select(r => ToAsync(r, Whole)), .. cutShort.Select(r => ToAsync(r, CutShort))]);

        async Task<(string Sent, string Answer)> ToAsync(string request, TimeSpan patience) =>
            (request, await AnswerAsync(transport, at, Encoding.Latin1.GetBytes(request), isAnswer, patience, cancel));
    }

    // What it answers until the connection is closed or the answer has a certain part.
    private static async Task<string> AnswerAsync(
        Transport transport, Endpoint at, byte[] request, string part, TimeSpan patience, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(patience);
        var answer = new byte[16 << 10];
        var length = 0;
        try
        {
            using var connection = await transport.ConnectAsync(at, limit.Token);
            await connection.Stream.WriteAsync(request, limit.Token);
            while (length < answer.Length && await connection.Stream.ReadAsync(answer.AsMemory(length), limit.Token) is var read and > 0)
            {
                length += read;
                if (Encoding.Latin1.GetString(answer, 0, length).Contains(part, StringComparison.Ordinal))
                    break;
            }
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // Closed by the other side, or silence: what had come before counts.
        }

        return Encoding.Latin1.GetString(answer, 0, length);
    }
}
