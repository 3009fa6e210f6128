using System.Diagnostics;
using System.IO.Pipelines;
using Elastic.Messages;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Elastic.Transfer;

/// <summary>
/// The seed's ends of the liveness connections. A node's death closes its socket, which the seed sees within milliseconds, where the
/// cluster's failure detector needs seconds; a node that hangs misses its beats.
/// </summary>
/// <remarks>For each (node, incarnation), "connected" and "broken" strictly alternate: a reconnected liveness connection replaces the old
/// one silently.</remarks>
/// <param name="silence">Without a beat for this long a liveness connection is broken; null for <see cref="MostSilence"/>.</param>
public sealed class LivenessConnections(TimeSpan? silence = null)
{
    /// <summary>Time between two bytes of a node; see <see cref="LivenessConnection"/>.</summary>
    public static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    /// <summary>A liveness connection of a node without a beat for this long is broken.</summary>
    public static readonly TimeSpan MostSilence = TimeSpan.FromSeconds(2);

    // A timeout that fires this late shows that this process stood still, not the node.
    private static readonly TimeSpan Overslept = TimeSpan.FromMilliseconds(500);

    private const int LongestName = 80;

    private readonly TimeSpan _silence = silence ?? MostSilence;
    private readonly Lock _gate = new();
    private readonly Dictionary<(NodeId, string), Line> _lines = [];
    private Listener? _listener;

    /// <summary>
    /// Accepts liveness connections until the returned registration is disposed; then the running ones are ended, and nothing more is
    /// reported.
    /// </summary>
    /// <param name="connected">Receives a node and its incarnation. Called in order, under a lock: must return at once.</param>
    /// <param name="broken">Receives the same and the reason. Likewise.</param>
    /// <exception cref="InvalidOperationException">There is a listener already.</exception>
    public IDisposable Listen(Action<NodeId, string> connected, Action<NodeId, string, string> broken)
    {
        lock (_gate)
        {
            if (_listener is not null)
                throw new InvalidOperationException("the liveness connections have a listener already");
            return _listener = new Listener(this, connected, broken);
        }
    }

    /// <summary>Serves one <c>POST /liveness?node=NAME&amp;incarnation=ID</c> for as long as it lives.</summary>
    internal async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        var name = context.Request.Query["node"].ToString();
        var incarnation = context.Request.Query["incarnation"].ToString();
        if (!Identifier.IsValid(name, LongestName) || !Identifier.IsValid(incarnation, LongestName))
        {
            Refuse(context, StatusCodes.Status400BadRequest);
            return;
        }

        var node = new NodeId(name);
        if (Enter(node, incarnation) is not { } line)
        {
            Refuse(context, StatusCodes.Status503ServiceUnavailable);
            return;
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(line.Ended, stopping);
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
        var why = await BeatsAsync(context.Request.BodyReader, end.Token);
        Leave(node, incarnation, line, stopping.IsCancellationRequested ? null : why);
        context.Abort();
    }

    // Returns null where there is no listener.
    private Line? Enter(NodeId node, string incarnation)
    {
        Line? old;
        Line line;
        lock (_gate)
        {
            if (_listener is not { } listener)
                return null;
            line = new Line(listener);
            if (!_lines.Remove((node, incarnation), out old))
                listener.Connected(node, incarnation);
            _lines.Add((node, incarnation), line);
        }

        old?.End();
        return line;
    }

    private void Leave(NodeId node, string incarnation, Line line, string? why)
    {
        lock (_gate)
        {
            if (_lines.GetValueOrDefault((node, incarnation)) != line)
                return;     // Another connection has replaced it, or its listener has left.
            _lines.Remove((node, incarnation));
            if (why is not null)
                line.Listener.Broken(node, incarnation, why);
        }
    }

    private void Remove(Listener listener)
    {
        List<Line> lines;
        lock (_gate)
        {
            if (_listener != listener)
                return;
            _listener = null;
            lines = [.. _lines.Values];
            _lines.Clear();
        }

        lines.ForEach(line => line.End());
    }

    /// <summary>Returns why the beats ended.</summary>
    private async Task<string> BeatsAsync(PipeReader body, CancellationToken end)
    {
        try
        {
            while (true)
            {
                var next = body.ReadAsync(CancellationToken.None).AsTask();
                while (!await WithinAsync(next, end))
                {
                }

                var read = await next;
                if (read.IsCompleted)
                    return "the node ended it";
                body.AdvanceTo(read.Buffer.End);
            }
        }
        catch (TimeoutException)
        {
            return $"no beat for {_silence.TotalSeconds:0.#} s";
        }
        catch (OperationCanceledException)
        {
            return "the connection was aborted";
        }
        catch (IOException e)
        {
            return $"the connection broke ({e.Message})";
        }
    }

    // Returns false when this process stood still (a starved thread pool, a suspended machine): the node then gets another chance.
    private async Task<bool> WithinAsync(Task next, CancellationToken end)
    {
        var since = Stopwatch.GetTimestamp();
        try
        {
            await next.WaitAsync(_silence, end);
            return true;
        }
        catch (TimeoutException) when (Stopwatch.GetElapsedTime(since) > _silence + Overslept)
        {
            return false;
        }
    }

    private static void Refuse(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        context.Response.Headers.Connection = "close";      // The server does not wait for the body, which has no end.
    }

    private sealed class Listener(
        LivenessConnections connections, Action<NodeId, string> connected, Action<NodeId, string, string> broken) : IDisposable
    {
        public Action<NodeId, string> Connected { get; } = connected;

        public Action<NodeId, string, string> Broken { get; } = broken;

        public void Dispose() => connections.Remove(this);
    }

    // One connection. Its token source is not disposed: it has no timer, and Leave and End may run at once.
    private sealed class Line(Listener listener)
    {
        private readonly CancellationTokenSource _end = new();

        public Listener Listener { get; } = listener;

        public CancellationToken Ended => _end.Token;

        public void End() => _end.Cancel();
    }
}
