using System.Net.Sockets;
using Elastic.Actors;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Display;
using Elastic.Host.Ops;
using Elastic.Host.Pbm;
using Elastic.Host.Web;
using Elastic.Messages.Observations;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>One <c>elastic seed</c> or <c>elastic worker</c>: start, say where it listens, wait, hand over, leave.</summary>
internal sealed class NodeProcess
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private readonly NodeRequest _request;
    private readonly TextWriter _output;
    private readonly RunLog _log;
    private readonly NodeFaults _faults;
    private readonly Lock _gate = new();                              // several threads write

    // Null until it has joined. Requests to the ops port read it on other threads.
    private volatile ElasticNode? _node;
    private volatile bool _isEnding;

    private NodeProcess(NodeRequest request, TextWriter output, RunLog log, NodeFaults faults) =>
        (_request, _output, _log, _faults) = (request, output, log, faults);

    /// <summary>Runs until it is asked to leave; returns the exit code.</summary>
    /// <param name="asked">Asks as SIGTERM does.</param>
    public static async Task<int> RunAsync(NodeRequest request, TextWriter output, NodeFaults faults, CancellationToken asked)
    {
        // Before the data directory is created: a library that does not load should leave no trace.
        DeviceNames.Parse(request.Node.Devices);
        var data = new DataDirectory(request.Node.DataDir, request.Node.CorporaDir);
        using var held = data.Take();
        var log = new RunLog(Path.Combine(data.Root, "node.log"), request.Node.LogFormat == NodeSettings.JsonLogs);
        var process = new NodeProcess(request, output, log, faults);
        using var interruption = Interruption.Listen(() => process.Say(
            $"leaving{process.HandingOver}; once more to quit at once (nothing that was committed is lost)"), asked);
        try
        {
            CheckPorts(request);
            await process.JoinAsync(interruption.Token);
            using var credentials = NodeSecurity.CredentialsOf(request.Node);
            return await process.RunAsync(credentials, interruption.Token);
        }
        catch (OperationCanceledException) when (interruption.IsRequested)
        {
            return ExitCodes.Interrupted;                             // before the node had joined
        }
    }

    // All at once: else each start names one more. What only one of them says, its server says better.
    private static void CheckPorts(NodeRequest request)
    {
        var node = request.Node;
        (int? Port, string Option)[] ports =
        [
            (node.Port, "--port"), (node.HttpPort, "--http-port"), (node.OpsPort, "--ops-port"),
            (request.Seed ? node.PbmPort : null, "--pbm-port"),
            (request.Seed && node.Dashboard ? node.DashboardPort : null, "--dashboard-port"),
        ];
        try
        {
            if (FreePorts.Taken(node.Host, ports.Where(p => p.Port > 0).Select(p => (p.Port!.Value, p.Option))) is { Count: > 1 } taken)
                throw new ElasticException($"these ports are in use on {node.Host}: {string.Join(", ", taken)}: stop what listens there, "
                    + "or name other ports with these options (0 for any free one)");
        }
        catch (SocketException)
        {
            // No port of the host can be opened: the first server says so, and what to do.
        }
    }

    private async Task<int> RunAsync(Credentials? credentials, CancellationToken interrupted)
    {
        // The only one of this process, but for pbm.
        var transport = credentials is null ? Transport.Plain : TlsTransport.BetweenNodes(credentials, JoinServer.For(credentials));
        transport = _faults.Transport?.Invoke(transport) ?? transport;
        if (credentials is not null)
            credentials.Say = Say;
        var duty = _request.Seed ? NodeDuty.Seed(_request.Seeds) : NodeDuty.Worker(_request.Seeds);
        var security = await NodeSecurity.DescribeAsync(_request.Node, transport, interrupted);
        // Before the node: whoever watches the process sees it while it waits for its seed or its database. (Without a certificate that its
        // token gets it, it has not come so far.)
        using var export = TelemetryExport.Begin(
            _request.Node.Port > 0 ? $"{Endpoint.Bracketed(_request.Node.Host)}:{_request.Node.Port}" : null,
            _request.Node.OpsPort is not null);
        await using var ops = _request.Node.OpsPort is { } port ? await OpsAsync(port, export!, interrupted) : null;
        await using var node = await ElasticNode.StartAsync(_request.Node, duty, Say, _faults, transport, interrupted);
        _node = node;
        var service = _request.Seed
            ? PbmService.Of(ControlPalettes.Of(node.Control, TimeProvider.System), _request.Node.DataDir, credentials) : null;
        await using var pbm = service is not null ? await PbmAsync(service, credentials, interrupted) : null;
        await using var web = service is not null && _request.Node.Dashboard
            ? await WebAsync(node, service, credentials, interrupted) : null;
        // Last: all that the process listens on is there.
        Say($"{(_request.Seed ? "seed" : "worker")} {node.Endpoint} is up: "
            + $"data plane {node.HttpEndpoint}, devices {_request.Node.Devices}");
        Say(security);
        if (RunLines.TooManyThreads(_request.Node, Environment.ProcessorCount) is { } slow)
            Say(slow);
        foreach (var line in SettingsWithoutEffect.Of(_request.Node))
            Say(line);

        using var beside = new BackgroundTasks(Say, interrupted);
        var preempted = PreemptionAsync(beside.Ending);
        if (export is not null && node.Observations is { } observations)
            beside.Begin("the spans of rounds", cancel => RoundSpans.FollowAsync(observations, cancel));
        using var backup = _request.Seed ? ContinuousBackup.Of(_request.Node, node, Say) : null;
        if (backup is not null)
            beside.Begin("the backup", backup.RunAsync);
        using var webhook = WebhookOf(node);
        if (webhook is not null)
            beside.Begin("the webhook", webhook.RunAsync);
        if (_request.Seed)
        {
            beside.Begin("going on with builds of corpora", cancel => node.Builds.GoOnAsync(CorpusPalette.PlanOf, Say, cancel));
            beside.Begin("fetching the builds of other seeds", cancel => node.Builds.StandByAsync(CorpusPalette.PlanOf, cancel));
        }
        if (node.Observations is { } seen)
            beside.Begin("the drawing of diagrams", new ClusterDiagrams(
                new DataDirectory(_request.Node.DataDir), node.Control.RunsAsync, () => seen.Supervises, Say).RunAsync);
        if (web is not null)
            beside.Begin("telling other seeds of the dashboard", cancel => AnnounceAsync(node, web, cancel));
        var first = await Task.WhenAny(Task.Delay(Timeout.Infinite, interrupted), preempted, node.Refused, node.LeaveAsked);
        var isPreempted = preempted.IsCompletedSuccessfully;             // the cancellation below ends the task, too
        _isEnding = true;
        var ended = beside.EndAsync();
        if (first == node.Refused)
        {
            await ended;
            throw new ElasticException(await node.Refused);
        }
        if (isPreempted)
            Say($"{_request.PreemptionFile} is there: leaving");
        else if (first == node.LeaveAsked)
            Say($"asked to leave{HandingOver}");
        // At once, however long the other tasks take to end: a spot machine has seconds.
        try
        {
            Say(await node.LeaveAsync(_request.Node.LeaveWithin) is { } why
                ? $"{why}: what was computed since the last hand-over is computed again; what is stored stays in {_request.Node.DataDir}"
                : HandingOver.Length > 0 ? "handed over" : "has left");
        }
        finally
        {
            await ended;
        }
        return ExitCodes.Done;
    }

    // A node without devices has no step at which it hands anything over.
    private string HandingOver => _request.Node.Devices == "none" ? "" : ": handing over at the next step";

    // Before anything of the process listens: it starts as if the certificate had been there.
    private async Task JoinAsync(CancellationToken interrupted)
    {
        if (_request.TokenFile is not { } file)
            return;
        var (node, files) = (_request.Node, NodeSecurity.FilesOf(_request.Node));
        await JoinClient.JoinAsync(
            _request.Seeds, () => JoinToken.Read(file, Console.In, Say), _request.Seed ? Role.Seed : Role.Worker,
            () => NodeIdentity.Load(new DataPaths(Path.GetFullPath(node.DataDir))).Value, files, Say, interrupted);
    }

    private async Task<PbmServer> PbmAsync(PbmService service, Credentials? credentials, CancellationToken cancel)
    {
        var server = await PbmServer.StartAsync(_request.Node.Host, _request.Node.PbmPort, service,
            credentials is null ? Transport.Plain : TlsTransport.ForPbm(credentials), cancel);
        Say($"pbm {server.Endpoint} controls it, e.g. "
            + $"{PbmService.Words(server.Endpoint, credentials?.Files, service.Token?.Path)} run start -n NAME");
        return server;
    }

    private async Task<WebServer> WebAsync(ElasticNode node, PbmService service, Credentials? credentials, CancellationToken cancel)
    {
        var server = await WebServer.StartAsync(
            _request.Node, _request.Node.Host, node.Control, service, WebTransport(credentials), WebLimits.Default, TimeProvider.System,
            cancel);
        Say($"dashboard {server.Address}/ "
            + (service.Token is { } token
                ? $"(with the token in {token.Path})" : "(for browsers that show a certificate of this cluster)"));
        return server;
    }

    private Transport WebTransport(Credentials? credentials)
    {
        var node = _request.Node;
        if ((node.DashboardCertificate is null) != (node.DashboardKey is null))
            throw new ElasticException("node.dashboard-certificate and node.dashboard-key belong together: give both, or none");
        var served = node.DashboardCertificate is { } certificate
            ? new ServedCertificate(certificate, node.DashboardKey!, TimeProvider.System, Say) : null;
        return credentials is null ? served?.ToTransport() ?? Transport.Plain : TlsTransport.ForPbm(credentials, served);
    }

    // Other seeds' pages are to know the address, and observations are kept for a while only.
    private static async Task AnnounceAsync(ElasticNode node, WebServer web, CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                node.Observations!.Record(new DashboardOpened($"{node.Endpoint}", web.Address));
                await Task.Delay(Day, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private Webhook? WebhookOf(ElasticNode node) => _request is { Seed: true, Node.WebhookFile: { } file }
        ? new Webhook(Webhook.ReadAddress(file), node.Database!, () => node.Observations!.Supervises, WebhookLimits.Default, Say)
        : null;

    private async Task<OpsServer> OpsAsync(int port, TelemetryExport export, CancellationToken cancel)
    {
        var token = OpsToken.Of(_request.Node);
        var server = await OpsServer.StartAsync(
            _request.Node.Host, port,
            () => _isEnding ? "this process is leaving"
                : _node is { } node ? node.Unready : "this process is starting: it waits for its seed or its database",
            token, export.Metrics, cancel);
        Say($"ops http://{server.Endpoint}: /healthz/live, /healthz/ready, /metrics"
            + (await NodeSecurity.IsLoopbackAsync(_request.Node.Host, cancel) ? "" : $" (with the token in {token.Path})"));
        return server;
    }

    private async Task PreemptionAsync(CancellationToken cancel)
    {
        while (_request.PreemptionFile is not { } file || !File.Exists(file))
            await Task.Delay(_request.PreemptionFile is null ? Timeout.InfiniteTimeSpan : Look, cancel);
    }

    private void Say(string text)
    {
        lock (_gate)
        {
            _log.Write(text);
            try
            {
                _output.Write(_request.Node.LogFormat == NodeSettings.JsonLogs
                    ? JsonLogLine.Of(DateTime.UtcNow, "info", null, text, null) : $"{DateTimeOffset.UtcNow:HH:mm:ss}Z {text}\n");
                _output.Flush();
            }
            catch (IOException)
            {
                // The reader has closed the output, or its disk is full. The node must not end because of that.
            }
        }
    }
}
