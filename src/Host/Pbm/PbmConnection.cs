using System.Reflection;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>The server's side of one connection: hello, then one request after the other until the client closes it.</summary>
internal sealed class PbmConnection
{
    private static readonly string Version = typeof(PbmConnection).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    // Time to finish a line that is being written when the server ends.
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    private readonly PbmStream _stream;
    private readonly PbmService _service;
    private readonly PbmSession _session;
    private readonly Identity? _peer;
    private readonly CancellationToken _ended;

    /// <param name="stream">Closed at the end of either method.</param>
    /// <param name="ended">Cancelled when the server ends.</param>
    public PbmConnection(Stream stream, PbmService service, PbmSession session, CancellationToken ended)
    {
        (_service, _session, _ended, _peer) = (service, session, ended, TlsTransport.PeerOf(stream));
        _stream = new PbmStream(stream);
    }

    /// <summary>Serves the client until it closes the connection, breaks the protocol or misses a deadline. Does not throw.</summary>
    public Task ServeAsync() => GuardAsync(async () =>
    {
        var hello = await ReadHelloAsync();
        if (hello?.Speaks == PbmMessage.Protocol && _service.Refusal(_peer, hello.Token) is { } why)
        {
            _service.Commands.Refuse(_session.From, why);
            await WriteAsync(new PbmMessage.End(ExitCodes.Failed, why));
            return;
        }

        await WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol, Version));
        // Where the protocols differ, the client reports it: the client now knows both versions, and the server's address.
        if (hello?.Speaks == PbmMessage.Protocol)
            await AnswerAsync();
    });

    /// <summary>Tells the client why it is not served. Does not throw.</summary>
    public Task RefuseAsync(string why) => GuardAsync(async () =>
    {
        await ReadHelloAsync();         // closing with unread bytes would reset the connection, and the client would not get the reason
        await WriteAsync(new PbmMessage.End(ExitCodes.Failed, why));
    });

    private async Task<PbmMessage.Hello?> ReadHelloAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_session.Ended);
        deadline.CancelAfter(_service.Limits.Handshake);
        try
        {
            return await _stream.ReadAsync(deadline.Token) switch
            {
                PbmMessage.Hello hello => hello,
                null => null,
                _ => throw new PbmProtocolException("the first message is no hello"),
            };
        }
        catch (OperationCanceledException) when (!_session.Ended.IsCancellationRequested)
        {
            _service.Commands.Refuse(_session.From, $"it said nothing within {_service.Limits.Handshake.TotalSeconds:0.##} s");
            throw;
        }
    }

    private async Task AnswerAsync()
    {
        // Awaits the next message while a call runs: a Cancel, or the client's end, stops the call.
        var next = new Incoming(_stream, _ended);
        while (await next.Message.WaitAsync(_service.Limits.Idle, _session.Ended) is { } message)
        {
            if (!_session.Begin())
                return;
            next = new Incoming(_stream, _ended);
            switch (message)
            {
                case PbmMessage.AskCatalogue:
                    await WriteAsync(new PbmMessage.Catalogue([.. _service.Palettes.Select(p => p.Help)]));
                    break;
                case PbmMessage.Call call:
                    await WriteAsync(await LoggedAsync(call, next.Arrived));
                    break;
                case PbmMessage.Cancel:
                    break;                                           // came after the end of the call
                default:
                    throw new PbmProtocolException($"a client does not send a {message.GetType().Name}");
            }

            _session.End();
        }
    }

    private async Task<PbmMessage.End> LoggedAsync(PbmMessage.Call call, CancellationToken interrupted)
    {
        var by = OriginOf(call);
        try
        {
            var end = await RunAsync(call, by, interrupted);
            _service.Commands.End(call, by, _session.From, end.ExitCode, end.Error);
            return end;
        }
        catch (ConnectionLostException)
        {
            _service.Commands.End(call, by, _session.From, ExitCodes.Interrupted, "the client has gone");
            throw;
        }
    }

    private async Task<PbmMessage.End> RunAsync(PbmMessage.Call call, Origin by, CancellationToken interrupted)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(interrupted, _ended);
        try
        {
            var command = Find(call);
            PbmService.Permit(call, command, _peer);
            var values = PbmCall.Of(command.Help, call.Values, by);
            if (command.ChangesBy(call))
                _service.Commands.Begin(call, by, _session.From);
            var lines = command.Handler(values, cancel.Token).GetAsyncEnumerator(cancel.Token);
            await using var _ = lines;
            while (await NextAsync(lines, cancel))
            {
                if (lines.Current.Piece is { } piece)
                    await WriteAsync(piece);
                else if ((call.Json ? lines.Current.Json?.ToJsonString() : lines.Current.Text) is { } text)
                    await WriteAsync(new PbmMessage.Line(text));
            }

            return new PbmMessage.End(ExitCodes.Done, "");
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return _ended.IsCancellationRequested
                ? new PbmMessage.End(ExitCodes.Unreachable, "this seed is shutting down: name another one, or try again when it is back")
                : new PbmMessage.End(ExitCodes.Interrupted, "");
        }
        catch (Exception e) when (e is not ConnectionLostException)
        {
            return Report(e);
        }
    }

    private async ValueTask<bool> NextAsync(IAsyncEnumerator<PbmLine> lines, CancellationTokenSource cancel)
    {
        var next = lines.MoveNextAsync().AsTask();
        try
        {
            while (!next.IsCompleted && await Task.WhenAny(next, Task.Delay(_service.Limits.Beat, CancellationToken.None)) != next)
                await WriteAsync(new PbmMessage.Beat());
        }
        catch (ConnectionLostException)
        {
            await cancel.CancelAsync();
            await next.ContinueWith(_ => { }, TaskScheduler.Default);       // an enumerator may not be disposed of while MoveNextAsync runs
            throw;
        }

        return await next;
    }

    private PaletteCommand Find(PbmMessage.Call call)
    {
        var palette = _service.Palettes.FirstOrDefault(p => p.Name == call.Palette)
                      ?? throw new SettingsException(
                          $"there is no palette {call.Palette} here: "
                          + EditDistance.Suggest(call.Palette, _service.Palettes.Select(p => p.Name)));
        return palette.Commands.FirstOrDefault(c => c.Help.Name == call.Command)
               ?? throw new SettingsException(
                   $"{palette.Name} has no command {call.Command}: "
                   + EditDistance.Suggest(call.Command, palette.Commands.Select(c => c.Help.Name)));
    }

    // Not cancelled with the call: half a line would spoil the connection. A client that takes no bytes is waited for until a deadline.
    private async Task WriteAsync(PbmMessage message)
    {
        using var deadline = new CancellationTokenSource(_service.Limits.Write);
        await using var soon = _ended.Register(() => deadline.CancelAfter(LastWords));
        try
        {
            await _stream.WriteAsync(message, deadline.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            throw new ConnectionLostException(e);
        }
    }

    private async Task GuardAsync(Func<Task> serve)
    {
        await using (_stream)
        {
            try
            {
                await serve();
            }
            catch (Exception e) when (e is ConnectionLostException or IOException or OperationCanceledException or TimeoutException)
            {
                // The client has closed the connection, or has sent nothing for too long.
            }
            catch (PbmProtocolException e)
            {
                await TellAsync(new PbmMessage.End(ExitCodes.Failed, e.Message));
            }
            catch (Exception e)
            {
                await TellAsync(Report(e));
            }
        }
    }

    // The same text as on this machine's own console; the client itself marks each line as an error.
    private PbmMessage.End Report(Exception e)
    {
        const string mark = "error: ";
        using var text = new StringWriter();
        var code = ErrorReport.Write(e, text, _service.LogFile);
        var lines = text.ToString().TrimEnd().Split(Environment.NewLine);
        return new PbmMessage.End(
            code, string.Join('\n', lines.Select(l => l.StartsWith(mark, StringComparison.Ordinal) ? l[mark.Length..] : l)));
    }

    // The last message to a client whose connection is closed anyway.
    private async Task TellAsync(PbmMessage.End end)
    {
        try
        {
            await WriteAsync(end);
        }
        catch (ConnectionLostException)
        {
            // The client does not read any more.
        }
    }

    /// <summary>The next message, and a token that is cancelled when the message has come or can never come.</summary>
    private sealed class Incoming
    {
        // Has no timer and no registration outside this connection, so it needs no disposal.
        private readonly CancellationTokenSource _arrived = new();

        public Incoming(PbmStream stream, CancellationToken ended) => Message = ReadAsync(stream, ended);

        public Task<PbmMessage?> Message { get; }

        public CancellationToken Arrived => _arrived.Token;

        private async Task<PbmMessage?> ReadAsync(PbmStream stream, CancellationToken ended)
        {
            try
            {
                return await stream.ReadAsync(ended);
            }
            finally
            {
                await _arrived.CancelAsync();
            }
        }
    }

    private sealed class ConnectionLostException(Exception inner) : IOException(inner.Message, inner);

    // Who has a certificate is who it says. Bounds what another client says of itself; one that does not say who it is becomes "somebody".
    private Origin OriginOf(PbmMessage.Call call)
    {
        const int most = 100;
        string Cut(string text) => OneLine.Of(text.Length > most ? text[..most] : text);
        var who = _peer?.ToString() ?? (call.Who is { Length: > 0 } name ? Cut(name) : "somebody");
        return new Origin(call.Id is { Length: > 0 } id ? Cut(id) : Guid.NewGuid().ToString("N"), $"pbm {who}", DateTimeOffset.UtcNow);
    }
}
