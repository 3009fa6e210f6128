using System.Net.Sockets;
using System.Reflection;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>A connection to a seed: hello, then one request after the other.</summary>
internal sealed class SeedConnection : IAsyncDisposable
{
    public static readonly string Version =
        typeof(SeedConnection).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private const string ItRuns = "whether its process runs";

    private readonly Endpoint _address;
    private readonly Connection _connection;
    private readonly PbmStream _stream;
    private readonly PbmDeadlines _deadlines;
    // What to look at where this seed closes the connection or is silent.
    private string _doubts;
    private bool _isBroken;

    private SeedConnection(Endpoint address, Connection connection, PbmDeadlines deadlines, string doubts)
    {
        (_address, _connection, _deadlines, _doubts) = (address, connection, deadlines, doubts);
        _stream = new PbmStream(connection.Stream);
    }

    /// <summary>False once the server has closed the connection, or pbm has abandoned an answer.</summary>
    public bool IsUsable => !_isBroken && !(_connection.Socket.Poll(0, SelectMode.SelectRead) && _connection.Socket.Available == 0);

    /// <summary>Connects and says hello.</summary>
    /// <param name="token">What the seed wants to see; null for nothing.</param>
    /// <param name="isKnown">A seed has answered there before, by the same transport.</param>
    /// <exception cref="PbmException">No server answers there, or it is no seed, or it speaks another protocol.</exception>
    public static async Task<SeedConnection> ConnectAsync(
        Endpoint address, PbmDeadlines deadlines, Transport transport, string? token, bool isKnown, CancellationToken cancel)
    {
        Connection opened;
        try
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            deadline.CancelAfter(deadlines.Connect);
            opened = await transport.ConnectAsync(address, deadline.Token);
        }
        catch (TlsException e)
        {
            throw PbmException.Unreachable(e.Failure switch
            {
                TlsFailure.Foreign => $"{e.Message}: it is of another cluster, whose certificates --certs names, or no seed's pbm port: "
                    + "correct HOST:PORT",
                TlsFailure.CountsNotHere => e.Message,
                _ => $"{e.Message}: name the pbm port that elastic seed prints; a seed without certificates wants the token in its "
                    + "pbm-token (--token-file FILE)",
            }, e);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            cancel.ThrowIfCancellationRequested();
            var why = e is not OperationCanceledException ? e.Message : $"nothing within {deadlines.Connect.TotalSeconds:0} s";
            throw PbmException.Unreachable(
                $"no seed answers at {address} ({why}): "
                + $"start one with elastic seed, or say where it is: pbm HOST:PORT ..., or {SeedAddress.Variable}=HOST:PORT", e);
        }

        var connection = new SeedConnection(address, opened, deadlines, isKnown ? ItRuns
            // Before the first answer, a seed that wants certificates looks just like one that ends, and so does another port of its.
            : $"whether this is the pbm port that it prints, {ItRuns}, and "
                + (transport.Credentials is null ? "whether it wants a certificate (--certs DIR)"
                    : "whether its log says that it refuses your certificate"));
        try
        {
            await connection.GreetAsync(token, cancel);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Asks for the palettes of the seed.</summary>
    public async Task<IReadOnlyList<PaletteHelp>> CatalogueAsync(CancellationToken cancel)
    {
        await WriteAsync(new PbmMessage.AskCatalogue(), cancel);
        return (await AnswerAsync<PbmMessage.Catalogue>(cancel)).Palettes;
    }

    /// <summary>Runs a command; gives each line of it to <paramref name="show"/>.</summary>
    /// <param name="keep">Takes the pieces of files that the command sends; null where it is to send none.</param>
    /// <param name="cancel">Ends the command on the server, too.</param>
    public async Task<PbmMessage.End> CallAsync(
        PbmMessage.Call call, Action<string> show, CancellationToken cancel, Action<PbmMessage.FilePiece>? keep = null)
    {
        await WriteAsync(call, cancel);
        try
        {
            while (true)
            {
                switch (await ReadAsync(cancel))
                {
                    case PbmMessage.Line line:
                        show(line.Text);
                        break;
                    case PbmMessage.FilePiece piece when keep is not null:
                        keep(piece);
                        break;
                    case PbmMessage.Beat:
                        break;
                    case PbmMessage.End end:
                        return end;
                    default:
                        throw Foreign();
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await CancelAsync();
            return new PbmMessage.End(ExitCodes.Interrupted, "");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _connection.Dispose();
    }

    private async Task GreetAsync(string? token, CancellationToken cancel)
    {
        await WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol, Version, token), cancel);
        var hello = await AnswerAsync<PbmMessage.Hello>(cancel);
        _doubts = ItRuns;
        if (hello.Speaks != PbmMessage.Protocol)
            throw PbmException.Failed(
                $"this pbm ({Version}) speaks version {PbmMessage.Protocol} of the protocol, " +
                $"and the seed at {_address} ({hello.Version}) version {hello.Speaks}: use the pbm that came with the seed");
    }

    // Ignores what the server sends until it has ended the command; if the server takes too long, closing the connection ends the command.
    private async Task CancelAsync()
    {
        _isBroken = true;
        using var deadline = new CancellationTokenSource(_deadlines.Cancel);
        try
        {
            await _stream.WriteAsync(new PbmMessage.Cancel(), deadline.Token);
            while (await _stream.ReadAsync(deadline.Token) is { } message)
            {
                if (message is not PbmMessage.End)
                    continue;
                _isBroken = false;
                return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or PbmProtocolException)
        {
            // The connection is not used again.
        }
    }

    private async Task<T> AnswerAsync<T>(CancellationToken cancel) where T : PbmMessage => await ReadAsync(cancel) switch
    {
        T answer => answer,
        PbmMessage.End refusal => throw PbmException.Failed($"the seed at {_address} refuses: {refusal.Error}"),
        _ => throw Foreign(),
    };

    private async Task WriteAsync(PbmMessage message, CancellationToken cancel)
    {
        try
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            deadline.CancelAfter(_deadlines.Silence);
            await _stream.WriteAsync(message, deadline.Token);
        }
        catch (PbmProtocolException e)
        {
            throw PbmException.Failed($"the command is too long to send: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            throw Lost(e, cancel);
        }
    }

    private async Task<PbmMessage> ReadAsync(CancellationToken cancel)
    {
        try
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            deadline.CancelAfter(_deadlines.Silence);
            return await _stream.ReadAsync(deadline.Token) ?? throw Lost(null, cancel);
        }
        catch (PbmProtocolException e)
        {
            throw Foreign(e);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            throw Lost(e, cancel);
        }
    }

    private PbmException Lost(Exception? e, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _isBroken = true;
        return PbmException.Unreachable(e is OperationCanceledException
            ? $"the seed at {_address} has said nothing for {_deadlines.Silence.TotalSeconds:0} s: "
                + $"see {_doubts}, then try again"
            : $"the connection to the seed at {_address} was closed: see {_doubts}, then try again", e);
    }

    private PbmException Foreign(Exception? e = null)
    {
        _isBroken = true;
        return PbmException.Unreachable(
            $"what answers at {_address} is no seed's pbm port: name the port that elastic seed prints, or gave to --pbm-port", e);
    }
}

/// <summary>How long pbm waits for a seed.</summary>
/// <param name="Connect">For the connection.</param>
/// <param name="Silence">For any message; a running command sends one every few seconds.</param>
/// <param name="Cancel">For the end of a cancelled command.</param>
internal sealed record PbmDeadlines(TimeSpan Connect, TimeSpan Silence, TimeSpan Cancel)
{
    public static readonly PbmDeadlines Default = new(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(2));

    /// <summary>The time for names that complete a line: a person is waiting.</summary>
    public TimeSpan Names { get; init; } = TimeSpan.FromSeconds(1);
}
