using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Endpoint = Elastic.Foundation.Endpoint;

namespace Elastic.Transfer;

/// <summary>
/// Connections between the nodes that compute the stages of one replica: streams of bytes in both directions through the data plane, with
/// its certificates. The later stage opens one to each stage before it, which accepts it when its own work asks for it: whichever of the
/// two is first waits for the other. A node that has no stage of the attempt gets none.
/// </summary>
/// <remarks>
/// <c>GET /stages?attempt=…&amp;from=1&amp;to=0&amp;node=…</c> with <c>Upgrade: elastic-stages</c>, answered by <c>101</c> once both are
/// there: from then on HTTP has no part in it. With <c>&amp;ended=true</c> it says that the work there is over before the two were
/// connected: the other one does not wait for it.
/// </remarks>
/// <param name="transport">How connections are opened.</param>
/// <param name="patience">How long one node waits for the other; null for a minute: their orders are sent together.</param>
/// <param name="time">Measures it; null for the system's.</param>
public sealed class StageConnections(Transport transport, TimeSpan? patience = null, TimeProvider? time = null)
{
    private const string Protocol = "elastic-stages";
    private const int LongestNode = 80;

    // Connections whose work has not asked for them yet. An honest node has as many as stages before it, for each device at most.
    private const int MostEarly = 1024;

    private const int MostFailures = 8;
    private const int MostHeadBytes = 8 << 10;
    private const int MostWords = 1000;

    // What an answer may take to arrive.
    private static readonly TimeSpan OnItsWay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Connecting = TimeSpan.FromSeconds(5);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _gate = new();
    private readonly Dictionary<StageRoute, Expectation> _expected = [];
    private readonly Dictionary<StageRoute, TaskCompletionSource<Expectation>> _early = [];

    // Connections that a node does not want any more, this one where none is named. Each attempt has routes of its own.
    private readonly HashSet<(StageRoute Route, NodeId? By)> _over = [];
    private readonly Queue<(StageRoute, NodeId?)> _overInOrder = [];

    /// <summary>How long one node waits for the other.</summary>
    public TimeSpan Patience { get; } = patience ?? TimeSpan.FromMinutes(1);

    /// <summary>Waits until the node of a later stage has opened its connection to this one.</summary>
    /// <param name="peer">The node of the later stage: another one is refused.</param>
    /// <exception cref="UnavailableException">It has not within <see cref="Patience"/>, or says that its work is over.</exception>
    /// <exception cref="InvalidOperationException">Other work waits for the same connection.</exception>
    public async Task<StageConnection> AcceptAsync(StageRoute route, NodeId peer, CancellationToken cancel)
    {
        var expected = new Expectation(peer);
        lock (_gate)
        {
            if (_over.Contains((route, peer)))
                throw Ended(peer, route.From);
            if (!_expected.TryAdd(route, expected))
                throw new InvalidOperationException($"other work waits for stage {route.From} of attempt {route.Attempt} already");
            if (_early.Remove(route, out var waiting))
                waiting.TrySetResult(expected);
        }
        try
        {
            return await expected.Connection.Task.WaitAsync(Patience, _time, cancel);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            var why = new UnavailableException(string.Create(
                CultureInfo.InvariantCulture,
                $"{peer}, which has stage {route.From}, did not connect within {Patience.TotalSeconds:0.#} s"), e);
            if (expected.Connection.TrySetException(why))
            {
                if (e is TimeoutException)
                    throw why;
                lock (_gate)
                    NoteOver(route, null);                             // who opens it later waits for nothing
                throw;
            }
            return await expected.Connection.Task;                     // it came at the last moment
        }
        finally
        {
            lock (_gate)
                _expected.Remove(route);
            _ = expected.Connection.Task.Exception;                    // seen
        }
    }

    /// <summary>Opens the connection to the node of a stage before this one, and waits until that node's work asks for it.</summary>
    /// <param name="self">This node.</param>
    /// <param name="endpoint">The data plane of <paramref name="peer"/>.</param>
    /// <param name="peer">The node of that stage: another one that answers there is refused.</param>
    /// <exception cref="UnavailableException">It does not answer within <see cref="Patience"/>, or refuses.</exception>
    public async Task<StageConnection> OpenAsync(
        StageRoute route, NodeId self, Endpoint endpoint, NodeId peer, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(Patience + OnItsWay, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        for (var failures = 0; ; failures++)
        {
            try
            {
                return await TryOpenAsync(route, self, endpoint, peer, either.Token);
            }
            catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
            {
                if (cancel.IsCancellationRequested)
                    _ = TellEndedAsync(route, self, endpoint);
                cancel.ThrowIfCancellationRequested();
                if (late.IsCancellationRequested)
                    throw new UnavailableException(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{peer}, which has stage {route.To}, did not answer at {endpoint} within "
                        + $"{(Patience + OnItsWay).TotalSeconds:0.#} s"), e);
                if (failures == MostFailures)
                    throw new UnavailableException($"{peer}, which has stage {route.To}, cannot be reached at {endpoint}: {e.Message}", e);
            }
            await Task.Delay(Retry.After(failures), _time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Serves the request of a later stage's node, for as long as the connection is open.</summary>
    internal async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        var query = context.Request.Query;
        var (attempt, node) = (query["attempt"].ToString(), query["node"].ToString());
        if (!Identifier.IsValid(attempt, StageRoute.LongestAttempt) || !Identifier.IsValid(node, LongestNode)
            || !IsStage(query["from"].ToString(), out var from) || !IsStage(query["to"].ToString(), out var to) || to >= from)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "a connection of stages names attempt, node, from and to");
            return;
        }
        if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade
            || context.Request.Headers.Upgrade != Protocol)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, $"a connection of stages begins with Upgrade: {Protocol}");
            return;
        }
        if (context.Features.Get<ConnectionPeer>() is { Identity.Name: var name } && name != node)
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, $"this is the certificate of {name}, and not of {node}");
            return;
        }

        var route = new StageRoute(attempt, from, to);
        if (query["ended"] == "true")
        {
            HearEnded(route, new NodeId(node));
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, context.RequestAborted);
        if (await ExpectedAsync(route, end.Token) is not { } expected)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, $"no work here waits for stage {from} in this attempt");
            return;
        }
        if (expected.Peer.Value != node)
        {
            await RefuseAsync(context, StatusCodes.Status403Forbidden, $"{node} has no stage {from} in this attempt: another node has it");
            return;
        }

        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var connection = new StageConnection(await upgrade.UpgradeAsync(), () => ended.TrySetResult());
        if (!expected.Connection.TrySetResult(connection))
            return;
        // Not until the other side has closed it, but until the work here has: the stream is the server's, and with the end of the request
        // a read that is about to return the end of the bytes fails with any exception instead.
        await ended.Task.WaitAsync(stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // What the work here expects on this route; null where it does not ask in time.
    private async Task<Expectation?> ExpectedAsync(StageRoute route, CancellationToken end)
    {
        TaskCompletionSource<Expectation> early;
        lock (_gate)
        {
            if (_expected.TryGetValue(route, out var there))
                return there;
            if (_over.Contains((route, null)))
                return null;
            if (_early.TryGetValue(route, out var other))
                other.TrySetCanceled(CancellationToken.None);          // of a connection that has broken, most likely
            else if (_early.Count == MostEarly)
                return null;
            _early[route] = early = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        try
        {
            return await early.Task.WaitAsync(Patience, _time, end);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return null;
        }
        finally
        {
            lock (_gate)
            {
                if (_early.GetValueOrDefault(route) == early)
                    _early.Remove(route);
            }
        }
    }

    private async Task<StageConnection> TryOpenAsync(
        StageRoute route, NodeId self, Endpoint endpoint, NodeId peer, CancellationToken cancel)
    {
        Connection connection;
        using (var late = CancellationTokenSource.CreateLinkedTokenSource(cancel))
        {
            late.CancelAfter(Connecting);
            connection = await transport.ConnectAsync(endpoint, late.Token);
        }
        try
        {
            if (TlsTransport.PeerOf(connection.Stream) is { } identity && identity.Name != peer.Value)
                throw new UnavailableException($"at {endpoint} answers {identity}, and not {peer}, which has stage {route.To}");
            await connection.Stream.WriteAsync(RequestOf(route, self, endpoint), cancel);
            var head = await HeadAsync(connection.Stream, cancel);
            if (head.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal))
                return new StageConnection(connection.Stream, connection.Dispose);
            throw new UnavailableException(
                $"{peer}, which has stage {route.To}, refuses the connection: {await WordsAsync(connection.Stream, cancel)}");
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static byte[] RequestOf(StageRoute route, NodeId self, Endpoint endpoint, string more = "") => Encoding.ASCII.GetBytes(
        string.Create(
            CultureInfo.InvariantCulture,
            $"GET /stages?attempt={Uri.EscapeDataString(route.Attempt)}&from={route.From}&to={route.To}"
            + $"&node={Uri.EscapeDataString(self.Value)}{more} HTTP/1.1\r\nHost: {endpoint}\r\nConnection: Upgrade\r\n"
            + $"Upgrade: {Protocol}\r\n\r\n"));

    // The work here was told to stop before the two were connected. Where this does not arrive, the other one's patience ends.
    internal async Task TellEndedAsync(StageRoute route, NodeId self, Endpoint endpoint)
    {
        try
        {
            using var late = new CancellationTokenSource(Connecting, _time);
            using var connection = await transport.ConnectAsync(endpoint, late.Token);
            await connection.Stream.WriteAsync(RequestOf(route, self, endpoint, "&ended=true"), late.Token);
            await HeadAsync(connection.Stream, late.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            // Nobody is there to be told.
        }
    }

    private void HearEnded(StageRoute route, NodeId node)
    {
        Expectation? expected;
        lock (_gate)
        {
            if (_expected.TryGetValue(route, out expected) && expected.Peer != node)
                return;
            NoteOver(route, node);
        }
        expected?.Connection.TrySetException(Ended(node, route.From));
    }

    // Called under the lock.
    private void NoteOver(StageRoute route, NodeId? by)
    {
        if (!_over.Add((route, by)))
            return;
        _overInOrder.Enqueue((route, by));
        if (_overInOrder.Count > MostEarly)
            _over.Remove(_overInOrder.Dequeue());
    }

    private static UnavailableException Ended(NodeId peer, int stage) =>
        new($"{peer}, which has stage {stage}, was told to stop before the two were connected");

    // Byte by byte: what follows the head belongs to the stage.
    private static async Task<string> HeadAsync(Stream stream, CancellationToken cancel)
    {
        var head = new byte[MostHeadBytes];
        for (var length = 0; length < head.Length; length++)
        {
            if (await stream.ReadAsync(head.AsMemory(length, 1), cancel) == 0)
                throw new IOException("the connection was closed before it was answered");
            if (head.AsSpan(0, length + 1).EndsWith("\r\n\r\n"u8))
                return Encoding.ASCII.GetString(head, 0, length);
        }
        throw new IOException($"the answer has a head of more than {MostHeadBytes} bytes");
    }

    private static async Task<string> WordsAsync(Stream stream, CancellationToken cancel)
    {
        var words = new byte[MostWords];
        var length = await stream.ReadAtLeastAsync(words, words.Length, throwOnEndOfStream: false, cancel);
        return OneLine.Of(Encoding.UTF8.GetString(words, 0, length).Trim());
    }

    private static bool IsStage(string text, out int stage) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out stage) && stage < StageRoute.MostStages;

    private static Task RefuseAsync(HttpContext context, int status, string why)
    {
        var words = Encoding.UTF8.GetBytes(why + "\n");
        (context.Response.StatusCode, context.Response.ContentLength) = (status, words.Length);
        context.Response.Headers.Connection = "close";
        return context.Response.Body.WriteAsync(words).AsTask();
    }

    // What work here waits for.
    private sealed record Expectation(NodeId Peer)
    {
        public TaskCompletionSource<StageConnection> Connection { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
