namespace Elastic.Foundation.Tests;

public sealed class EndpointTests
{
    [Theory]
    [InlineData("127.0.0.1:4053", "127.0.0.1", 4053)]
    [InlineData("seed1:1", "seed1", 1)]
    [InlineData("my_host.local:65535", "my_host.local", 65535)]
    [InlineData("[::1]:4053", "::1", 4053)]
    [InlineData("[fe80::1%3]:4053", "fe80::1%3", 4053)]
    public void What_is_typed_is_read_and_printed_the_same(string text, string host, int port)
    {
        var endpoint = Endpoint.Parse(text);
        Assert.Equal((host, port), (endpoint.Host, endpoint.Port));
        Assert.Equal(text, endpoint.ToString());
        Assert.Equal(new Endpoint(host, port), endpoint);
    }

    [Theory]
    [InlineData("::1", "needs brackets")]
    [InlineData("::1:4053", "needs brackets")]
    [InlineData("fe80::1:2:3", "needs brackets")]
    [InlineData("[::1]", "has no port")]
    [InlineData("seed", "has no port")]
    [InlineData("", "has no port")]
    [InlineData(":4053", "has no host")]
    [InlineData("seed:", "port is not 1 to 65535")]
    [InlineData("seed:0", "port is not 1 to 65535")]
    [InlineData("seed:65536", "port is not 1 to 65535")]
    [InlineData("seed:+1", "port is not 1 to 65535")]
    [InlineData("seed: 1", "port is not 1 to 65535")]
    [InlineData("seed:99999999999999999999", "port is not 1 to 65535")]
    [InlineData("a/b:1", "neither an address nor a name")]
    [InlineData("user@host:1", "neither an address nor a name")]
    [InlineData("a b:1", "neither an address nor a name")]
    [InlineData("a\r\nHost:1", "neither an address nor a name")]
    [InlineData("[[::1]]:1", "neither an address nor a name")]
    [InlineData("[seed]:1", "neither an address nor a name")]
    [InlineData("http://seed:1", "neither an address nor a name")]
    public void What_is_no_endpoint_is_refused_with_what_is_wrong_and_what_was_expected(string text, string why)
    {
        var refusal = Assert.Throws<ElasticException>(() => Endpoint.Parse(text));
        Assert.StartsWith($"{text} is no address (", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("write HOST:PORT, with an IPv6 address in brackets", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Endpoint.Among([text]));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("[::]")]
    [InlineData("0:0:0:0:0:0:0:0")]
    public void An_address_that_stands_for_all_is_no_host_and_the_ones_to_name_are_told(string host)
    {
        var refusal = Assert.Throws<ElasticException>(() => Endpoint.HostOf(host)).Message;
        Assert.Contains("it stands for all addresses of a machine; name the one", refusal, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1", refusal, StringComparison.Ordinal);
        Assert.Throws<ElasticException>(() => new Endpoint(host, 4053));
    }

    [Fact]
    public void An_address_is_one_endpoint_however_it_is_written_and_never_has_two_pairs_of_brackets()
    {
        var shortest = new Endpoint("::1", 4053);
        Assert.All(["[::1]", "0:0:0:0:0:0:0:1", "[0000::0001]"], host => Assert.Equal(shortest, new Endpoint(host, 4053)));
        Assert.Equal("[::1]:4053", new Endpoint("[::1]", 4053).ToString());
    }

    [Fact]
    public void A_name_is_one_endpoint_in_small_letters_as_Akka_has_it()
    {
        Assert.Equal(new Endpoint("gpu-7.lab", 4053), Endpoint.Parse("GPU-7.Lab:4053"));
        Assert.Equal("gpu-7.lab", new Endpoint("GPU-7.Lab", 4053).Host);
        Assert.Equal(["gpu7:4053", "[::1]:4053", "W1-8h2m4xyq"],
            new[] { "GPU7:4053", "[0:0::1]:4053", "W1-8h2m4xyq" }.Select(Endpoint.Normalized));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("a b", 1)]
    [InlineData("seed", 0)]
    [InlineData("seed", 65536)]
    [InlineData("seed", -1)]
    public void None_is_made_of_what_is_no_host_or_no_port(string host, int port) =>
        Assert.Throws<ElasticException>(() => new Endpoint(host, port));

    [Fact]
    public void Of_what_another_process_says_the_endpoints_are_taken_and_the_rest_is_left() =>
        Assert.Equal([new Endpoint("a", 1), new Endpoint("b", 2)], Endpoint.Among(["a:1", "nonsense", "b:2", "c:0"]));
}
