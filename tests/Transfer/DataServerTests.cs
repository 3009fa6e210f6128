using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class DataServerTests : TemporaryFolder, IAsyncLifetime
{
    private static readonly byte[] Blob = Bytes(1_000_000);
    private static readonly string Hex = Digest.Of(Blob).Hex;

    private readonly HttpClient _http = new();
    private DataServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        (_server, _) = await ServeAsync(Folder, Blob, []);
        _http.BaseAddress = new Uri($"http://{_server.Endpoint}/");
        await File.WriteAllTextAsync(Path.Combine(Folder, "secret"), "secret", Deadline);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("../secret")]
    [InlineData("..%2fsecret")]
    [InlineData("..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd")]
    [InlineData("%2e%2e/%2e%2e/secret")]
    [InlineData("/etc/passwd")]
    [InlineData("%2fetc%2fpasswd")]
    [InlineData("UPPER")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    [InlineData("../blobs/..%5c..%5csecret")]
    public async Task Only_the_digest_of_a_blob_that_is_there_gives_an_answer(string name)
    {
        // Over a plain socket, because HttpClient would tidy the path.
        using var client = new TcpClient();
        await client.ConnectAsync(_server.Endpoint.Host, _server.Endpoint.Port, Deadline);
        var path = name == "UPPER" ? Hex.ToUpperInvariant() : name;
        await client.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes($"GET /blobs/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"), Deadline);
        var answer = await new StreamReader(client.GetStream()).ReadToEndAsync(Deadline);
        Assert.StartsWith("HTTP/1.1 404", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_blob_comes_whole()
    {
        using var answer = await _http.GetAsync($"blobs/{Hex}", Deadline);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(Blob, await answer.Content.ReadAsByteArrayAsync(Deadline));
        Assert.Equal("bytes", answer.Headers.AcceptRanges.Single());
        Assert.Empty(await _http.GetByteArrayAsync($"blobs/{Digest.Of([]).Hex}", Deadline));
    }

    [Fact]
    public async Task Head_tells_the_length_and_sends_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, $"blobs/{Hex}");
        using var answer = await _http.SendAsync(request, Deadline);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(Blob.Length, answer.Content.Headers.ContentLength);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Deadline));
    }

    [Theory]
    [InlineData(0L, 0L, 0, 1)]
    [InlineData(0L, null, 0, 1_000_000)]
    [InlineData(300_000L, null, 300_000, 700_000)]
    [InlineData(300_000L, 599_999L, 300_000, 300_000)]
    [InlineData(999_999L, null, 999_999, 1)]
    [InlineData(999_998L, 5_000_000L, 999_998, 2)]
    [InlineData(null, 10L, 999_990, 10)]
    [InlineData(null, 5_000_000L, 0, 1_000_000)]
    public async Task A_range_gives_those_bytes_and_says_which(long? from, long? to, int first, int count)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"blobs/{Hex}") { Headers = { Range = new RangeHeaderValue(from, to) } };
        using var answer = await _http.SendAsync(request, Deadline);
        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal(new ContentRangeHeaderValue(first, first + count - 1, Blob.Length), answer.Content.Headers.ContentRange);
        Assert.Equal(Blob[first..(first + count)], await answer.Content.ReadAsByteArrayAsync(Deadline));
    }

    [Theory]
    [InlineData(1_000_000L, null)]
    [InlineData(2_000_000L, 3_000_000L)]
    [InlineData(null, 0L)]
    public async Task A_range_beyond_the_end_is_refused_with_the_length(long? from, long? to)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"blobs/{Hex}") { Headers = { Range = new RangeHeaderValue(from, to) } };
        using var answer = await _http.SendAsync(request, Deadline);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
        Assert.Equal(Blob.Length, answer.Content.Headers.ContentRange!.Length);
    }

    [Fact]
    public async Task Several_ranges_at_once_are_answered_with_the_whole()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"blobs/{Hex}")
        {
            Headers = { Range = new RangeHeaderValue(0, 1) { Ranges = { new RangeItemHeaderValue(5, 6) } } }
        };
        using var answer = await _http.SendAsync(request, Deadline);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(Blob, await answer.Content.ReadAsByteArrayAsync(Deadline));
    }

    [Theory]
    [InlineData("evil.example", null, null)]
    [InlineData("127.0.0.1.evil.example", null, null)]
    [InlineData("10.0.0.1", null, null)]
    [InlineData(null, "http://evil.example", null)]
    [InlineData(null, "null", null)]
    [InlineData(null, null, "cross-site")]
    public async Task A_web_page_gets_nothing_and_cannot_make_the_node_leave(string? host, string? origin, string? site)
    {
        foreach (var (method, path) in new[] { (HttpMethod.Post, "leave"), (HttpMethod.Get, $"blobs/{Hex}"), (HttpMethod.Get, "health") })
        {
            using var request = new HttpRequestMessage(method, path) { Headers = { { "Elastic-Leave", "yes" } } };
            request.Headers.Host = host is null ? null : $"{host}:{_server.Endpoint.Port}";
            if (origin is not null)
                request.Headers.Add("Origin", origin);
            if (site is not null)
                request.Headers.Add("Sec-Fetch-Site", site);
            using var answer = await _http.SendAsync(request, Deadline);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.NotEmpty(await answer.Content.ReadAsStringAsync(Deadline));
        }

        Assert.False(_server.LeaveAsked.IsCompleted);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("LOCALHOST")]
    public async Task A_program_of_this_machine_may_name_it_as_it_likes(string host)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "leave") { Headers = { { "Elastic-Leave", "yes" } } };
        request.Headers.Host = host;
        using var answer = await _http.SendAsync(request, Deadline);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await _server.LeaveAsked.WaitAsync(Deadline);
    }

    [Fact]
    public async Task It_says_that_it_is_well() => Assert.Equal("ok\n", await _http.GetStringAsync("health", Deadline));

    [Fact]
    public async Task A_port_in_use_is_an_error_that_names_it_and_the_remedy()
    {
        var port = _server.Endpoint.Port;
        var error = await Assert.ThrowsAsync<ElasticException>(() =>
            DataServer.StartAsync("127.0.0.1", port, new BlobLocations(), new LivenessConnections(), Transport.Plain, Deadline));
        Assert.Contains($"127.0.0.1:{port}", error.Message, StringComparison.Ordinal);
        Assert.Contains("--http-port", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no-such-host.invalid")]
    [InlineData("192.0.2.1")]      // for documentation only (RFC 5737): never an address of this machine
    public async Task A_host_that_is_not_this_machine_is_an_error_that_names_the_option(string host)
    {
        var error = await Assert.ThrowsAsync<ElasticException>(() =>
            DataServer.StartAsync(host, 0, new BlobLocations(), new LivenessConnections(), Transport.Plain, Deadline));
        Assert.Contains(host, error.Message, StringComparison.Ordinal);
        Assert.Contains("--host", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_of_this_machine_is_served_under_that_name()
    {
        await using var server = await DataServer.StartAsync(
            "localhost", 0, new BlobLocations(), new LivenessConnections(), Transport.Plain, Deadline);
        Assert.Equal("localhost", server.Endpoint.Host);
        Assert.Equal("ok\n", await _http.GetStringAsync(new Uri($"http://{server.Endpoint}/health"), Deadline));
    }

    [Fact]
    public async Task A_corpus_is_found_by_the_digests_of_its_manifest_and_its_shards()
    {
        var shard = Path.Combine(Folder, "train-00000.tokens");
        var json = Encoding.UTF8.GetBytes($$"""
            {
              "format": {{CorpusIdentity.FormatVersion}}, "id": "{{new string('0', 64)}}", "tokenizer": "byte", "vocabularySize": 257,
              "documents": 1, "bytes": 1, "tokens": 1, "heldOut": { "documents": 0, "bytes": 0, "tokens": 0 },
              "invalidUtf8Sequences": 0, "malformedRecords": 0, "emptyDocuments": 0, "sources": [], "heldOutShards": [],
              "trainShards": [{ "fileName": "train-00000.tokens", "sha256": "{{Hex}}", "tokens": 1, "bytes": 1, "documents": 1 }]
            }
            """);
        File.WriteAllBytes(Path.Combine(Folder, CorpusManifest.FileName), json);
        var places = new BlobLocations();
        places.Add(BuiltCorpus.Open(Folder));

        Assert.Equal(Path.Combine(Folder, CorpusManifest.FileName), await places.FindAsync(Digest.Of(json), Deadline));
        Assert.Null(await places.FindAsync(new Digest(Hex), Deadline));
        File.WriteAllBytes(shard, Blob);
        Assert.Equal(shard, await places.FindAsync(new Digest(Hex), Deadline));
        Assert.Null(await places.FindAsync(default, Deadline));
    }

    [Fact]
    public async Task A_file_whose_bytes_are_others_than_its_digest_says_is_not_served()
    {
        await A_corpus_is_found_by_the_digests_of_its_manifest_and_its_shards();
        var (shard, places, store) = (Path.Combine(Folder, "train-00000.tokens"), new BlobLocations(), new BlobStore(Folder));
        places.Add(BuiltCorpus.Open(Folder));
        places.Add(store);
        Assert.NotNull(await places.FindAsync(new Digest(Hex), Deadline));
        File.WriteAllBytes(shard, [.. Blob, 0]);
        Assert.Null(await places.FindAsync(new Digest(Hex), Deadline));

        var damaged = Digest.Of("what was meant"u8);
        Directory.CreateDirectory(Path.GetDirectoryName(store.PathOf(damaged))!);
        File.WriteAllText(store.PathOf(damaged), "what is there");
        Assert.Null(await places.FindAsync(damaged, Deadline));
        File.WriteAllText(store.PathOf(damaged), "what was meant");
        Assert.Equal(store.PathOf(damaged), await places.FindAsync(damaged, Deadline));
    }

    [Fact]
    public async Task A_file_that_its_node_has_just_read_is_served_without_being_read_again_until_it_changes()
    {
        var (path, places) = (Path.Combine(Folder, "source.txt"), new BlobLocations());
        File.WriteAllText(path, "other bytes, which a reading would find");
        places.Add(new Digest(Hex), path);
        Assert.Null(await places.FindAsync(new Digest(Hex), Deadline));
        places.Add(new Digest(Hex), path, FileState.Of(path));
        Assert.Equal(path, await places.FindAsync(new Digest(Hex), Deadline));
        File.AppendAllText(path, ".");
        Assert.Null(await places.FindAsync(new Digest(Hex), Deadline));
    }

    // A pipe gives its bytes when the test wants it, as a disk that is slow.
    [Fact]
    public async Task A_request_that_gives_up_leaves_the_first_reading_of_a_file_to_the_next_one()
    {
        var (path, places) = (Path.Combine(Folder, "slow"), new BlobLocations());
        using (var make = System.Diagnostics.Process.Start("mkfifo", [path]))
            make.WaitForExit();
        places.Add(new Digest(Hex), path);
        await using var server = await DataServer.StartAsync(
            "127.0.0.1", 0, places, new LivenessConnections(), Transport.Plain, Deadline);
        var uri = new Uri($"http://{server.Endpoint}/blobs/{Hex}");
        using var impatient = new CancellationTokenSource();
        var first = _http.SendAsync(new HttpRequestMessage(HttpMethod.Head, uri), impatient.Token);
        // Opening it for writing waits for the reader, who reads it whole once: there is no second one.
        await using (var bytes = await Task.Run(() => new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read), Deadline))
        {
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
            var second = places.FindAsync(new Digest(Hex), Deadline);
            Assert.False(second.IsCompleted);
            await bytes.WriteAsync(Blob, Deadline);
            await bytes.DisposeAsync();
            Assert.Equal(path, await second);
        }
    }
}
