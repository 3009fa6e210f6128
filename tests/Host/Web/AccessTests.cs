using System.Net;
using System.Text.Json.Nodes;
using Elastic.Foundation.Certificates;
using Elastic.Host.Tests.Pbm;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Web;

/// <summary>Who gets in by HTTP, and which requests of browsers are refused.</summary>
public sealed class AccessTests
{
    private const string Session = "/api/v1/session", Runs = "/api/v1/runs", Stop = "/api/v1/runs/tiny/stop";

    [Fact]
    public async Task Without_a_token_or_a_session_nothing_is_told_but_what_the_api_is()
    {
        await using var served = await Served.StartAsync();
        var document = JsonNode.Parse(Elastic.Host.Web.Pages.Text("openapi.json"))!;
        foreach (var (path, methods) in document["paths"]!.AsObject())
        {
            foreach (var (method, _) in methods!.AsObject().Where(m => m.Value!["security"] is null))
            {
                var at = path.Replace("{command}", "stop", StringComparison.Ordinal).Replace("{run}", "tiny", StringComparison.Ordinal);
                var (status, text, answer) = await served.SendAsync(new HttpMethod(method.ToUpperInvariant()), at);
                Assert.True(status == HttpStatusCode.Unauthorized, $"{method} {at}: {status} {text}");
                Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
                Assert.Contains("nobody has signed in: show the seed's token", text, StringComparison.Ordinal);
            }
        }

        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, "/api/v1/openapi.json")).Status);
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, "/alive")).Status);
        Assert.Null(served.Cluster.Stopped);
    }

    [Theory]
    [InlineData("Bearer ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    [InlineData("Bearer ")]
    [InlineData("Basic " + TestService.Token)]
    [InlineData("Bearer " + TestService.Token + "0")]
    public async Task Another_token_is_refused_and_written_down_nowhere(string shown)
    {
        await using var served = await Served.StartAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Authorization", shown))).Status);
        var (status, text, _) = await served.SendAsync(HttpMethod.Post, Session, $$"""{"token": "{{shown}}"}""");
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Contains("that is not this seed's token", text, StringComparison.Ordinal);
        Assert.Contains("that is not this seed's token", served.Log, StringComparison.Ordinal);
        Assert.DoesNotContain(TestService.Token, served.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("ffffffff", served.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Half_of_a_surrogate_pair_is_a_wrong_request_and_no_defect()
    {
        await using var served = await Served.StartAsync();
        var (status, text, _) = await served.SendAsync(HttpMethod.Post, Session, """{"token": "\ud800"}""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("token has half of a surrogate pair", text, StringComparison.Ordinal);
        foreach (var path in new[] { Session, Stop })
        {
            (status, text, _) = await served.SendAsync(HttpMethod.Post, path, """{"a": [{"\udfff": 1}]}""", Served.Token);
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Contains("the name of a field has half of a surrogate pair", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_session_reads_and_changes_something_only_with_its_own_anti_forgery_token()
    {
        await using var served = await Served.StartAsync();
        var (cookie, antiForgery, set) = await served.SignInAsync();
        Assert.Contains("httponly", set, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", set, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secure", set, StringComparison.OrdinalIgnoreCase);              // over plain HTTP on the loopback
        Assert.DoesNotContain(TestService.Token, set, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Cookie", cookie))).Status);

        var another = await served.SignInAsync();
        foreach (var wrong in new[] { "", another.AntiForgery, antiForgery + "0" })
        {
            var (status, text, _) = await served.SendAsync(
                HttpMethod.Post, Stop, null, ("Cookie", cookie), ("X-Anti-Forgery", wrong));
            Assert.Equal(HttpStatusCode.Forbidden, status);
            Assert.Contains("no anti-forgery token of this session: send the header X-Anti-Forgery", text, StringComparison.Ordinal);
        }

        Assert.Null(served.Cluster.Stopped);
        Assert.Equal(
            HttpStatusCode.OK,
            (await served.SendAsync(HttpMethod.Post, Stop, null, ("Cookie", cookie), ("X-Anti-Forgery", antiForgery))).Status);
        Assert.Equal("tiny", served.Cluster.Stopped?.Value);
        Assert.Equal("http session", served.Cluster.Asker?.Who);

        var (ended, _, answer) = await served.SendAsync(
            HttpMethod.Delete, Session, null, ("Cookie", cookie), ("X-Anti-Forgery", antiForgery));
        Assert.Equal(HttpStatusCode.NoContent, ended);
        Assert.Contains("max-age=0", Assert.Single(answer.Headers.GetValues("Set-Cookie")), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Origin", "http://127.0.0.1")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task A_page_of_another_origin_is_refused_whatever_it_carries(string header, string value)
    {
        await using var served = await Served.StartAsync();
        var (cookie, antiForgery, _) = await served.SignInAsync();
        (string, string)[] all = [("Cookie", cookie), ("X-Anti-Forgery", antiForgery), (header, value)];
        foreach (var (method, path, body) in new[]
            { (HttpMethod.Get, Runs, null), (HttpMethod.Get, "/api/v1/events", null), (HttpMethod.Post, Stop, null),
              (HttpMethod.Post, Session, $$"""{"token": "{{TestService.Token}}"}"""), (HttpMethod.Delete, Session, (string?)null) })
        {
            var (status, text, _) = await served.SendAsync(method, path, body, all);
            Assert.True(status == HttpStatusCode.Forbidden, $"{method} {path}: {status} {text}");
        }

        Assert.Null(served.Cluster.Stopped);
    }

    [Fact]
    public async Task A_page_that_is_open_ends_when_the_certificate_that_it_was_opened_with_is_revoked()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        using var authority = new TestAuthority(Path.Combine(folder, "authority"));
        var admin = authority.Issue("ann", Role.Admin);
        using var seed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var person = Credentials.OfNode(admin, TimeProvider.System);
        await using var served = await Served.StartAsync(transport: TlsTransport.ForPbm(seed), client: TlsTransport.ForPbm(person));
        using var events = await served.FollowAsync("/api/v1/events");
        Assert.StartsWith("retry: ", await events.ReadLineAsync(), StringComparison.Ordinal);
        seed.Take(authority.Revoke(admin));
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (true)
                await events.ReadLineAsync(deadline.Token);
        });
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Its_own_page_is_served()
    {
        await using var served = await Served.StartAsync();
        var origin = ("Origin", $"http://{served.Endpoint}");
        var (cookie, antiForgery, _) = await served.SignInAsync(origin, ("Sec-Fetch-Site", "same-origin"));
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(
            HttpMethod.Post, Stop, "{}", ("Cookie", cookie), ("X-Anti-Forgery", antiForgery), origin,
            ("Sec-Fetch-Site", "same-origin"))).Status);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/alive")]
    [InlineData(Runs)]
    public async Task Another_Host_is_refused_on_the_loopback_too(string path)
    {
        await using var served = await Served.StartAsync();
        var (status, text, _) = await served.SendAsync(HttpMethod.Get, path, null, [("Host", "evil.example"), .. Served.Token]);
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.StartsWith(
            "the host \"evil.example\" is not this node's: use 127.0.0.1",
            (string)JsonNode.Parse(text)!["detail"]!, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(
            HttpMethod.Get, path, null, [("Host", $"localhost:{served.Endpoint.Port}"), .. Served.Token])).Status);
    }

    [Fact]
    public async Task An_old_session_a_forged_one_and_one_of_another_token_are_refused()
    {
        var clock = new Clock();
        await using var served = await Served.StartAsync(clock);
        var (cookie, antiForgery, _) = await served.SignInAsync();
        var parts = cookie.Split('=')[1].Split('.');
        var later = $"{long.Parse(parts[0]) + 1}.{parts[1]}.{parts[2]}";
        foreach (var forged in new[] { later, "", ".", parts[0], new string('1', 5000), $"{parts[0]}.{parts[1]}.{new string('0', 64)}" })
            Assert.Equal(HttpStatusCode.Unauthorized, (await served.SendAsync(
                HttpMethod.Get, Runs, null, ("Cookie", $"{cookie.Split('=')[0]}={forged}"))).Status);

        clock.Now += Elastic.Host.Web.Sessions.Lifetime - TimeSpan.FromSeconds(1);
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Cookie", cookie))).Status);
        clock.Now += TimeSpan.FromSeconds(2);
        Assert.Equal(HttpStatusCode.Unauthorized, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Cookie", cookie))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await served.SendAsync(
            HttpMethod.Post, Stop, null, ("Cookie", cookie), ("X-Anti-Forgery", antiForgery))).Status);
        Assert.Null(served.Cluster.Stopped);
    }

    [Fact]
    public async Task Behind_a_proxy_its_public_address_counts_with_the_path_or_without_it()
    {
        var clock = new Clock();
        await using var served = await Served.StartAsync(clock, NodeSettings.Defaults with { PublicUrl = "https://lm.example/elastic" });
        (string, string) host = ("Host", "lm.example"), origin = ("Origin", "https://lm.example");
        Assert.StartsWith("https://lm.example/elastic/#token=", served.AddressWithToken, StringComparison.Ordinal);
        foreach (var path in new[] { "/", "/elastic/", Session, "/elastic/style.css" })
            Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, path, null, [host, .. Served.Token])).Status);
        var (cookie, antiForgery, set) = await served.SignInAsync(host, origin);
        Assert.Contains("secure", set, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("path=/elastic", set, StringComparison.OrdinalIgnoreCase);
        // At another address nothing stands before the paths: a browser would not send the cookie there.
        Assert.Contains("path=/;", (await served.SignInAsync()).SetCookie, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(
            HttpMethod.Post, "/elastic" + Stop, null, host, origin, ("Cookie", cookie), ("X-Anti-Forgery", antiForgery))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await served.SendAsync(
            HttpMethod.Get, Runs, null, [host, ("Origin", "http://lm.example"), .. Served.Token])).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await served.SendAsync(
            HttpMethod.Get, Runs, null, [("Host", "lm.example:8443"), .. Served.Token])).Status);
        foreach (var wrong in new[] { ("Host", "evil.example"), ("Sec-Fetch-Site", "cross-site"), ("X-Anti-Forgery", "0") })
        {
            var sent = new[] { host, ("X-Anti-Forgery", antiForgery), ("Cookie", cookie) }.Where(h => h.Item1 != wrong.Item1).Append(wrong);
            Assert.Equal(
                HttpStatusCode.Forbidden, (await served.SendAsync(HttpMethod.Post, "/elastic" + Stop, null, [.. sent])).Status);
        }

        clock.Now += Elastic.Host.Web.Sessions.Lifetime + TimeSpan.FromSeconds(1);
        Assert.Equal(HttpStatusCode.Unauthorized, (await served.SendAsync(HttpMethod.Get, Runs, null, host, ("Cookie", cookie))).Status);
        var (moved, _, answer) = await served.SendAsync(HttpMethod.Get, "/elastic", null, host);
        Assert.Equal((HttpStatusCode.Redirect, "/elastic/"), (moved, answer.Headers.Location?.ToString()));
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("10.0.0.9", false)]
    [InlineData(null, false)]
    public async Task Whom_a_request_comes_from_is_the_word_of_a_trusted_proxy_only(string? proxies, bool isBelieved)
    {
        await using var served = await Served.StartAsync(node: NodeSettings.Defaults with { TrustedProxies = proxies });
        Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(
            HttpMethod.Post, Stop, null, [("X-Forwarded-For", "203.0.113.7"), .. Served.Token])).Status);
        Assert.Equal(isBelieved, served.Log.Contains("203.0.113.7", StringComparison.Ordinal));
        Assert.Contains("\"command\":\"run stop\"", served.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_certificates_a_reader_looks_an_admin_changes_and_both_are_who_their_certificates_say()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        using var authority = new TestAuthority(Path.Combine(folder, "authority"));
        using var seed = Credentials.OfNode(authority.Issue("s1", Role.Seed, names: ["lm.example"]), TimeProvider.System);
        using var reader = Credentials.OfPerson(authority.Issue("ray", Role.Reader), TimeProvider.System);
        using var admin = Credentials.OfPerson(authority.Issue("ann", Role.Admin), TimeProvider.System);
        try
        {
            foreach (var (person, may) in new[] { (reader, false), (admin, true) })
            {
                await using var served = await Served.StartAsync(transport: TlsTransport.ForPbm(seed), client: TlsTransport.ForPbm(person));
                var (_, text, _) = await served.SendAsync(HttpMethod.Get, Session);
                Assert.Equal(may, (bool)JsonNode.Parse(text)!["mayChange"]!);
                Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, Runs)).Status);
                // Under the names of its certificate, and no others.
                Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Host", "LM.example:8443"))).Status);
                Assert.Equal(
                    HttpStatusCode.Forbidden, (await served.SendAsync(HttpMethod.Get, Runs, null, ("Host", "evil.example"))).Status);
                Assert.Equal(HttpStatusCode.OK, (await served.SendAsync(HttpMethod.Post, Session, "{}")).Status);
                // A browser shows its certificate to every page's request.
                Assert.Equal(HttpStatusCode.Forbidden, (await served.SendAsync(HttpMethod.Post, Stop)).Status);
                var (status, why, _) = await served.SendAsync(
                    HttpMethod.Post, Stop, null, ("X-Anti-Forgery", (string)JsonNode.Parse(text)!["antiForgery"]!));
                Assert.Equal(may ? HttpStatusCode.OK : HttpStatusCode.Forbidden, status);
                if (!may)
                    Assert.Contains("reader ray may look and change nothing", why, StringComparison.Ordinal);
                Assert.Equal(may ? "http admin ann" : null, served.Cluster.Asker?.Who);
                Assert.Contains(may ? "\"who\":\"http admin ann\"" : "\"who\":\"http reader ray\"", served.Log, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = Served.Noon;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
