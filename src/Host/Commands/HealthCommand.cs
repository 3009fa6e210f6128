using System.CommandLine;
using System.Net;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Host.Commands;

/// <summary><c>elastic health</c>: whether a node is ready, for images in which there is no other program that could ask.</summary>
internal static class HealthCommand
{
    // Probes are answered from memory. What takes longer than this stands still.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static Command Build()
    {
        var node = new Argument<string?>("HOST:PORT")
        {
            Description = $"The node's --host and --ops-port. Default: this machine's name, and port {NodeOptions.UsualOpsPort}.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var json = CommandOutput.Option();
        var command = new TeachingCommand("health",
            "Asks a node's ops port whether it is ready, that is, in a cluster: exit code 0 where it is, else 1 and the reason. "
            + "For the health check of a container.",
            """
            elastic health                          of the node on this machine, started with --ops-port 9464 and the machine's name
            elastic health 127.0.0.1:9464           of the node that listens there
            """)
        { node, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (output, address) = (CommandOutput.Of(parsed, json), AddressOf(parsed.GetValue(node)));
            await AskAsync(address, cancel);
            output.Say($"{address} is ready");
            output.Result(new JsonObject { ["node"] = address.ToString(), ["ready"] = true });
            return ExitCodes.Done;
        });
        return command;
    }

    private static Endpoint AddressOf(string? given)
    {
        if (given is null)
            return new Endpoint(Dns.GetHostName(), NodeOptions.UsualOpsPort);
        return Endpoint.TryParse(given, out var address, out var problem) ? address : throw new SettingsException([problem]);
    }

    /// <summary>Returns where the node is ready.</summary>
    /// <exception cref="ElasticException">It is not ready, or nothing answers there: says why.</exception>
    private static async Task AskAsync(Endpoint address, CancellationToken cancel)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            Timeout = Patience,
            MaxResponseContentBufferSize = 4096,
        };
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://{address}/healthz/ready"), cancel);
            var text = (await answer.Content.ReadAsStringAsync(cancel)).Trim();
            if (!answer.IsSuccessStatusCode)
                throw new ElasticException($"{address} is not ready: {text}");
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            throw new ElasticException(
                $"{address} does not answer as an ops port: {e.Message.TrimEnd('.')}. "
                + $"Start the node with --ops-port {address.Port}, and name its --host", e);
        }
    }
}
