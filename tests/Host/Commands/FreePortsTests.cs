using System.Net;
using System.Net.Sockets;
using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

public sealed class FreePortsTests
{
    [Fact]
    public async Task All_ports_that_are_in_use_are_told_at_once_and_before_the_node_says_that_it_is_up()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        var (one, other) = (((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port);
        Assert.Equal([$"{one} (--port)"], FreePorts.Taken("127.0.0.1", [(one, "--port")]));
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        var (output, error) = (new StringWriter(), new StringWriter());
        string[] ports = ["--port", $"{one}", "--http-port", "0", "--pbm-port", $"{other}", "--no-dashboard"];
        Assert.Equal(ExitCodes.Failed, await ElasticCommandLine.RunAsync(["seed", "--data-dir", folder, .. ports], output, error));
        Directory.Delete(folder, recursive: true);
        Assert.Equal("", output.ToString());
        Assert.StartsWith(
            $"error: these ports are in use on 127.0.0.1: {one} (--port), {other} (--pbm-port): ", error.ToString(),
            StringComparison.Ordinal);
    }
}
