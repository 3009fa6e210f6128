using System.Buffers.Binary;
using System.Net.Security;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation.Certificates;

namespace Elastic.Foundation.Tests.Joining;

/// <summary>What a client without a certificate can send to a seed, and how far it gets.</summary>
public sealed class AnonymousClientTests : JoinScene
{
    [Fact]
    public async Task It_never_gets_past_the_handler_and_a_process_that_gives_out_no_certificates_refuses_it_at_the_handshake()
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        await UntilAsync("the seed had ended the connection", () => !Seed.Refused.IsEmpty);
        Assert.Equal(["the connection was a request for a certificate, which is answered"], Seed.Refused);
        Assert.Empty(Seed.Accepted);

        var closed = Start(SeedFiles, joins: false);
        foreach (var name in new[] { TlsTransport.JoinName, TlsTransport.RenewalName, "elastic" })
        {
            await using var stream = await ConnectAsync(closed, name);
            await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(stream));
        }

        await UntilAsync("all were refused", () => closed.Refused.Count == 3);
        Assert.Empty(closed.Accepted);
    }

    [Theory]
    [InlineData("elastic")]
    [InlineData("renew.elastic")]
    [InlineData("JOIN.elastic.x")]
    public async Task Under_any_other_name_it_needs_a_certificate(string name)
    {
        await using var stream = await ConnectAsync(Seed, name);
        await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(stream));
        await UntilAsync("the seed had refused it", () => !Seed.Refused.IsEmpty);
        Assert.Equal(["the client has shown no certificate"], Seed.Refused);
    }

    [Fact]
    public async Task A_request_of_10_MB_is_refused_before_there_is_room_for_it()
    {
        await using var stream = await ConnectAsync(Seed, TlsTransport.JoinName);
        await ReadAsync(stream);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, 10 << 20);
        await stream.WriteAsync(length, Cancel);
        await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(stream));
        Assert.Contains(Seed.Said, s => s.EndsWith("a message of 10485760 bytes: at most 8192 are allowed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]")]
    [InlineData("{\"token\":7}")]
    public async Task A_request_that_is_none_ends_the_connection(string json)
    {
        await using var stream = await ConnectAsync(Seed, TlsTransport.JoinName);
        await ReadAsync(stream);
        await SendAsync(stream, json);
        await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(stream));
        Assert.Contains("refused a request for a certificate from 127.0.0.1:", Assert.Single(Seed.Said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "the request is not complete")]
    [InlineData("{\"token\":\"x\",\"role\":\"king\",\"name\":\"a\",\"key\":\"AA==\"}", "the request is not complete")]
    [InlineData("{\"token\":\"x\",\"role\":\"seed\",\"name\":\"a\",\"key\":\"AA==\"}", "the request holds no public key")]
    public async Task A_request_that_lacks_something_is_answered_with_what(string json, string why)
    {
        await using var stream = await ConnectAsync(Seed, TlsTransport.JoinName);
        await ReadAsync(stream);
        await SendAsync(stream, json);
        Assert.Contains(why, await ReadAsync(stream), StringComparison.Ordinal);
        // The seed ends the connection after the client, so that no answer is lost on its way.
        Assert.Empty(Seed.Refused);
        await stream.DisposeAsync();
        await UntilAsync("the seed had ended the connection", () => !Seed.Refused.IsEmpty);
    }

    [Fact]
    public async Task A_request_with_a_name_that_is_none_is_refused_and_said_as_any_other()
    {
        await using var stream = await AskAsync(Seed, await TokenAsync(Role.Seed), "null");
        Assert.Contains("is no host name and no address", await ReadAsync(stream), StringComparison.Ordinal);
        Assert.Contains("gave no certificate to request of seed a at 127.0.0.1:", Assert.Single(Seed.Said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_sends_a_byte_now_and_then_is_cut_off_after_ten_seconds()
    {
        var time = new ManualTime();
        var seed = Start(SeedFiles, time);
        await using var stream = await ConnectAsync(seed, TlsTransport.JoinName);
        await ReadAsync(stream);
        for (var i = 0; i < 3; i++)
        {
            await stream.WriteAsync(new byte[1], Cancel);
            time.Advance(TimeSpan.FromSeconds(3));
            Assert.Empty(seed.Refused);
        }

        time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync("the seed had cut the client off", () => !seed.Refused.IsEmpty);
        Assert.Equal(["no whole request within 10 s"], seed.Refused);
        Assert.EndsWith(": no whole request within 10 s", Assert.Single(seed.Said), StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(stream));
    }

    [Fact]
    public async Task Sixteen_that_say_nothing_keep_the_seventeenth_waiting_for_ten_seconds_and_not_for_ever()
    {
        var time = new ManualTime();
        var seed = Start(SeedFiles, time);
        var silent = new List<SslStream>();
        for (var i = 0; i < 16; i++)
        {
            silent.Add(await ConnectAsync(seed, TlsTransport.JoinName));
            await ReadAsync(silent[^1]);
        }

        var token = await TokenAsync();
        Assert.Contains("too many requests", (await Assert.ThrowsAsync<UnavailableException>(
            () => JoinAsync(token, "gpu1", seed))).Message, StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(10));
        await UntilAsync("the seed had cut them off", () => seed.Refused.Count >= 17);
        await JoinAsync(token, "gpu1", seed);
        foreach (var stream in silent)
            await stream.DisposeAsync();
    }

    [Fact]
    public async Task Guesses_are_answered_slowly_and_five_a_second_at_most()
    {
        var time = new ManualTime();
        var seed = Start(SeedFiles, time);
        var guess = (await TokenAsync()) with { Secret = new string('0', 40) };
        var began = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAsync<ElasticException>(() => JoinAsync(guess, "gpu1", seed));
        Assert.True(TimeProvider.System.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(200));
        await Task.WhenAll(Enumerable.Range(2, 4).Select(
            i => Assert.ThrowsAsync<ElasticException>(() => JoinAsync(guess, $"gpu{i}", seed))));
        await Assert.ThrowsAsync<UnavailableException>(() => JoinAsync(guess, "gpu6", seed));
        Assert.Equal(5, seed.Said.Count);
        time.Advance(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<ElasticException>(() => JoinAsync(guess, "gpu7", seed));
    }

    [Fact]
    public void Refusals_are_logged_ten_times_in_ten_seconds_at_most_and_the_rest_is_counted()
    {
        var time = new ManualTime();
        var log = new RefusalLog(time);
        Assert.All(Enumerable.Range(0, 10), _ => Assert.Equal("x", log.Of("x")));
        Assert.All(Enumerable.Range(0, 7), _ => Assert.Null(log.Of("x")));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal("y (7 more refusals before this one are not in the log)", log.Of("y"));
        Assert.Equal("y", log.Of("y"));
    }

    /// <summary>Asks for a certificate with these names, in JSON.</summary>
    internal static async Task<SslStream> AskAsync(SeedPort seed, JoinToken token, string names)
    {
        var stream = await ConnectAsync(seed, TlsTransport.JoinName);
        await ReadAsync(stream);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await SendAsync(stream, $"{{\"token\":\"{token.Secret}\",\"role\":\"{Identity.Text(token.Role)}\",\"name\":\"a\","
            + $"\"key\":\"{Convert.ToBase64String(key.ExportSubjectPublicKeyInfo())}\",\"names\":[{names}]}}");
        return stream;
    }

    private static async Task<SslStream> ConnectAsync(SeedPort seed, string name)
    {
        var connection = await Transport.Plain.ConnectAsync(seed.Endpoint, Cancel);
        var stream = new SslStream(connection.Stream, false, (_, certificate, _, _) => certificate is not null);
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = name }, Cancel);
        return stream;
    }

    private static async Task SendAsync(SslStream stream, string json)
    {
        var frame = new byte[4 + json.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, json.Length);
        Encoding.ASCII.GetBytes(json, frame.AsSpan(4));
        await stream.WriteAsync(frame, Cancel);
    }

    internal static async Task<string> ReadAsync(SslStream stream)
    {
        var length = new byte[4];
        await stream.ReadExactlyAsync(length, Cancel);
        var text = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await stream.ReadExactlyAsync(text, Cancel);
        return Encoding.UTF8.GetString(text);
    }
}
