using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Threading.Channels;
using Elastic.Foundation;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>What one stage sends to another.</summary>
public enum StageFrame
{
    /// <summary>To the stage behind.</summary>
    Activations,

    /// <summary>To the stage before.</summary>
    Gradients,

    /// <summary>The losses of the step, of the last stage.</summary>
    Losses,

    /// <summary>Rows of a tied embedding, to its owner.</summary>
    Rows,

    /// <summary>Sums of squares of the gradient.</summary>
    Squares,

    /// <summary>A piece of a parameter that another stage has updated.</summary>
    Parameters,

    /// <summary>A piece of a vector, to the first stage, which stores it.</summary>
    Elements,

    /// <summary>What the first stage has stored.</summary>
    Stored,

    /// <summary>A stage is lost: the number is its own. It comes in place of what was due.</summary>
    Lost,
}

/// <summary>
/// The connection of a stage with another one: frames of a header (kind, step, number, bytes; little-endian) and what it announces. Each
/// side knows what comes next and how long it may be: anything else ends the step with a sentence that names the other stage. A send does
/// not wait for the other stage to read, so that two stages that send to each other at once go on.
/// </summary>
public sealed class StageLink : IAsyncDisposable
{
    /// <summary>Frames that wait to be sent, at most: of activations there are as many as stages.</summary>
    private const int MostWaiting = 64;

    private const int HeaderBytes = 24;

    private readonly Stream _input, _output;
    private readonly TimeProvider _time;
    private readonly int _stage;
    private readonly string _peer;
    private readonly byte[] _header = new byte[HeaderBytes];
    private readonly Channel<(byte[] Frame, int Bytes)> _waiting = Channel.CreateBounded<(byte[], int)>(MostWaiting);
    private readonly CancellationTokenSource _closed = new();
    private readonly Task _sending;
    private readonly long[] _sent = new long[Enum.GetValues<StageFrame>().Length];
    private byte[] _received = [];
    private bool _isDisposed;

    /// <param name="input">What the other stage sends; the link owns it.</param>
    /// <param name="output">Where frames for it go; may be the same stream.</param>
    /// <param name="stage">The number of the other stage.</param>
    /// <param name="peer">How people know it: "stage 1 of 2 on 10.0.0.7:4053".</param>
    /// <param name="time">Measures the deadlines; null for the system's.</param>
    public StageLink(Stream input, Stream output, int stage, string peer, TimeProvider? time = null)
    {
        (_input, _output, _stage, _peer, _time) = (input, output, stage, peer, time ?? TimeProvider.System);
        _sending = Task.Run(SendAllAsync);
    }

    /// <summary>Bytes of this kind that were sent, without what announces them.</summary>
    public long SentBytes(StageFrame frame) => Interlocked.Read(ref _sent[(int)frame]);

    /// <summary>Sends a frame as soon as those before it are sent.</summary>
    /// <param name="step">Counts the steps of the stages, the same in all processes.</param>
    /// <param name="number">Number that the frame's kind has: of the first micro-batch, or of a piece.</param>
    /// <param name="fill">Writes it; its bytes are any before.</param>
    /// <exception cref="StageLostException">The other stage is gone, or did not read in time what was sent before.</exception>
    public Task SendAsync(StageFrame frame, long step, int number, int bytes, Action<Memory<byte>> fill, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(fill);
        return SendAsync(frame, step, number, bytes, into =>
        {
            fill(into);
            return Task.CompletedTask;
        }, deadline);
    }

    /// <inheritdoc cref="SendAsync(StageFrame, long, int, int, Action{Memory{byte}}, TimeSpan)"/>
    public async Task SendAsync(StageFrame frame, long step, int number, int bytes, Func<Memory<byte>, Task> fill, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(fill);
        var rented = ArrayPool<byte>.Shared.Rent(HeaderBytes + bytes);
        BinaryPrimitives.WriteInt32LittleEndian(rented, (int)frame);
        BinaryPrimitives.WriteInt64LittleEndian(rented.AsSpan(4), step);
        BinaryPrimitives.WriteInt32LittleEndian(rented.AsSpan(12), number);
        BinaryPrimitives.WriteInt64LittleEndian(rented.AsSpan(16), bytes);
        await fill(rented.AsMemory(HeaderBytes, bytes));
        using var limit = new WaitDeadline(_time, deadline);
        try
        {
            await _waiting.Writer.WriteAsync((rented, HeaderBytes + bytes), limit.Late);
        }
        catch (OperationCanceledException)
        {
            throw Lost($"did not read {TextOf(frame, number)} within {Seconds(deadline)} s");
        }
        catch (ChannelClosedException e)
        {
            throw Lost($"ended its connection before {TextOf(frame, number)} could be sent: {e.InnerException?.Message ?? "closed here"}");
        }
    }

    /// <summary>The next frame, which must be this one.</summary>
    /// <param name="most">Bytes that it may have.</param>
    /// <param name="least">Bytes that it must have; null for as many as it may.</param>
    /// <returns>Its bytes, until the next call.</returns>
    /// <exception cref="StageLostException">A stage is gone, this one mostly, or did not send it in time.</exception>
    /// <exception cref="ElasticException">It sent something else.</exception>
    public async Task<ReadOnlyMemory<byte>> ReceiveAsync(
        StageFrame frame, long step, int number, int most, TimeSpan deadline, int? least = null)
    {
        using var limit = new WaitDeadline(_time, deadline);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Late, _closed.Token);
        try
        {
            await _input.ReadExactlyAsync(_header, either.Token);
            var kind = (StageFrame)BinaryPrimitives.ReadInt32LittleEndian(_header);
            var (itsStep, itsNumber, bytes) = (
                BinaryPrimitives.ReadInt64LittleEndian(_header.AsSpan(4)), BinaryPrimitives.ReadInt32LittleEndian(_header.AsSpan(12)),
                BinaryPrimitives.ReadInt64LittleEndian(_header.AsSpan(16)));
            if (kind == StageFrame.Lost && bytes == 0 && itsNumber >= 0 && itsNumber != _stage)
                throw new StageLostException(itsNumber, $"stage {itsNumber} is lost, as {_peer} says");
            if (kind != frame || itsStep != step || itsNumber != number || bytes > most || bytes < (least ?? most))
            {
                throw new ElasticException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_peer} sent {bytes} bytes, {TextOf(kind, itsNumber)} of step {itsStep}, where {TextOf(frame, number)} of step "
                    + $"{step} were due, {most} bytes at most: start all stages with the same settings and version of Elastic"));
            }
            if (_received.Length < bytes)
                _received = new byte[bytes];
            var into = _received.AsMemory(0, (int)bytes);
            await _input.ReadExactlyAsync(into, either.Token);
            return into;
        }
        catch (OperationCanceledException) when (limit.Late.IsCancellationRequested)
        {
            throw Lost($"did not send {TextOf(frame, number)} within {Seconds(deadline)} s");
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            throw Lost($"ended its connection before it sent {TextOf(frame, number)}");
        }
    }

    /// <summary>Tells the other stage that another one is lost, if it still listens. Does not wait.</summary>
    public void TellLost(int stage)
    {
        var frame = ArrayPool<byte>.Shared.Rent(HeaderBytes);
        frame.AsSpan(0, HeaderBytes).Clear();
        BinaryPrimitives.WriteInt32LittleEndian(frame, (int)StageFrame.Lost);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(12), stage);
        if (!_waiting.Writer.TryWrite((frame, HeaderBytes)))
            ArrayPool<byte>.Shared.Return(frame);
    }

    /// <summary>Ends what waits for the other stage, and each later call. Does not wait.</summary>
    public void Abort()
    {
        if (!_isDisposed)
            _closed.Cancel();
    }

    /// <summary>Sends what waits, if the other stage reads it soon, and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        _waiting.Writer.TryComplete();
        // The other stage may hang: what it has not read in five seconds is lost with the step.
        _closed.CancelAfter(TimeSpan.FromSeconds(5));
        await _sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _closed.CancelAsync();
        await _output.DisposeAsync();
        await _input.DisposeAsync();
        _closed.Dispose();
    }

    private async Task SendAllAsync()
    {
        try
        {
            await foreach (var (frame, bytes) in _waiting.Reader.ReadAllAsync(_closed.Token))
            {
                await _output.WriteAsync(frame.AsMemory(0, bytes), _closed.Token);
                await _output.FlushAsync(_closed.Token);
                Interlocked.Add(ref _sent[BinaryPrimitives.ReadInt32LittleEndian(frame)], bytes - HeaderBytes);
                ArrayPool<byte>.Shared.Return(frame);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            _waiting.Writer.TryComplete(e);
        }
    }

    private StageLostException Lost(string what) => new(_stage, $"{_peer} {what}");

    private static string TextOf(StageFrame frame, int number) => frame switch
    {
        StageFrame.Activations => string.Create(CultureInfo.InvariantCulture, $"the activations of micro-batch {number}"),
        StageFrame.Gradients => string.Create(CultureInfo.InvariantCulture, $"the gradients of micro-batch {number}"),
        StageFrame.Losses => "the losses",
        StageFrame.Rows => "the rows of the embedding",
        StageFrame.Squares => "the squares of its gradient",
        StageFrame.Parameters => string.Create(CultureInfo.InvariantCulture, $"piece {number} of the parameters"),
        StageFrame.Elements => string.Create(CultureInfo.InvariantCulture, $"piece {number} of its vectors"),
        StageFrame.Stored => "what it has stored",
        _ => string.Create(CultureInfo.InvariantCulture, $"a frame of kind {(int)frame}"),
    };

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
}
