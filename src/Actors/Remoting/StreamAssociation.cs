using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Akka.Remote.Transport;
using Google.Protobuf;

namespace Elastic.Actors.Remoting;

/// <summary>One connection of Akka.Remote: a task that reads frames, and one that writes what has come together meanwhile.</summary>
internal sealed class StreamAssociation : AssociationHandle
{
    /// <summary>The most bytes of one frame, as Akka's own transport has it.</summary>
    public const int MostBytes = 128_000;

    private const int HeaderBytes = 4;

    // What waits for a slow network. Above this Akka keeps the messages, and tries again.
    private const int MostWaiting = 4 << 20;
    private const int BatchBytes = 64 << 10;

    // For what is waiting when the connection is to end.
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private readonly Stream _stream;
    private readonly ILoggingAdapter _log;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();          // no timer, no registration elsewhere: needs no disposal
    private readonly SemaphoreSlim _news = new(0);

    // Guards the three below.
    private readonly Lock _gate = new();
    private readonly Queue<ByteString> _waiting = new();
    private int _waitingBytes;
    private bool _closing;

    public StreamAssociation(Stream stream, Address local, Address remote, ILoggingAdapter log) : base(local, remote) =>
        (_stream, _log) = (stream, log);

    /// <summary>Ends when the connection has.</summary>
    public Task Closed => _closed.Task;

    public void Start() => _ = RunAsync();

    /// <inheritdoc/>
    public override bool Write(ByteString payload)
    {
        lock (_gate)
        {
            if (_closing || _waitingBytes > MostWaiting)
                return false;
            _waiting.Enqueue(payload);
            _waitingBytes += HeaderBytes + payload.Length;
            if (_waiting.Count == 1)
                _news.Release();
            return true;
        }
    }

    /// <summary>Ends the connection after what is waiting has been sent.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_closing)
                return;
            _closing = true;
            _news.Release();
        }

        // A peer that takes no bytes would hold the writer for ever.
        _ = Task.Delay(LastWords, _ended.Token).ContinueWith(
            _ => _stream.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    /// <summary>Ends the connection at once.</summary>
    public void Cut()
    {
        Close();
        _stream.Dispose();
    }

#pragma warning disable CS0809 // the base marks it for its callers; somebody has to implement it
    /// <inheritdoc/>
    [Obsolete("Akka calls it.")]
    public override void Disassociate() => Close();
#pragma warning restore CS0809

    private async Task RunAsync()
    {
        // Whatever happens, the connection ends, and its place is free.
        try
        {
            var reading = ReadAsync();
            try
            {
                await WriteAsync();
            }
            catch (Exception e)
            {
                Note(e);
            }

            await _ended.CancelAsync();
            Cut();
            await reading;
        }
        catch (Exception e)
        {
            Note(e);
        }
        finally
        {
            _closed.TrySetResult();
        }
    }

    private async Task WriteAsync()
    {
        byte[] batch = [];                                             // until the first frame: a silent connection costs little
        while (true)
        {
            await _news.WaitAsync();
            while (Fill(ref batch) is var length and > 0)
                await _stream.WriteAsync(batch.AsMemory(0, length));
            lock (_gate)
                if (_closing && _waiting.Count == 0)
                    return;
        }
    }

    // As many frames as fit, and at least one.
    private int Fill(ref byte[] batch)
    {
        lock (_gate)
        {
            var length = 0;
            while (_waiting.TryPeek(out var next))
            {
                var needed = length + HeaderBytes + next.Length;
                if (needed > batch.Length)
                {
                    if (length > 0)
                        break;
                    batch = new byte[Math.Max(needed, BatchBytes)];
                }

                BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(length), next.Length);
                next.Span.CopyTo(batch.AsSpan(length + HeaderBytes));
                length = needed;
                _waiting.Dequeue();
            }

            _waitingBytes -= length;
            return length;
        }
    }

    // The stream is read when Akka has said who listens; until then the network holds what comes.
    private async Task ReadAsync()
    {
        IHandleEventListener? listener = null;
        try
        {
            listener = await ReadHandlerSource.Task.WaitAsync(_ended.Token);
            var reader = PipeReader.Create(
                _stream, new StreamPipeReaderOptions(bufferSize: BatchBytes, leaveOpen: true, useZeroByteReads: true));
            while (true)
            {
                var read = await reader.ReadAsync();
                var rest = read.Buffer;
                while (TakeFrame(ref rest) is { } frame)
                    listener.Notify(new InboundPayload(frame));
                reader.AdvanceTo(rest.Start, rest.End);
                if (read.IsCompleted)
                    break;
            }
        }
        catch (Exception e)
        {
            Note(e);
        }

        Close();
        listener?.Notify(new Disassociated(DisassociateInfo.Unknown));
    }

    // Null where the frame is not complete.
    private static ByteString? TakeFrame(ref ReadOnlySequence<byte> bytes)
    {
        var reader = new SequenceReader<byte>(bytes);
        if (!reader.TryReadLittleEndian(out int length))
            return null;
        if (length is < 0 or > MostBytes)
            throw new InvalidDataException($"it has sent a frame of {length} bytes, and at most {MostBytes} are allowed");
        if (reader.Remaining < length)
            return null;
        var frame = bytes.Slice(HeaderBytes, length);
        bytes = bytes.Slice(frame.End);
        return frame.IsSingleSegment ? ByteString.CopyFrom(frame.FirstSpan) : UnsafeByteOperations.UnsafeWrap(frame.ToArray());
    }

    private void Note(Exception e)
    {
        if (e is InvalidDataException)
            _log.Warning("closing the connection with {0}: {1}", RemoteAddress, e.Message);
        else if (IsBroken(e))
            _log.Debug("the connection with {0} broke: {1}", RemoteAddress, e.Message);
        else
            _log.Error(e, "the connection with {0} ends: report this", RemoteAddress);
    }

    // A stream that was closed under who reads or writes it says so in several ways.
    private bool IsBroken(Exception e)
    {
        lock (_gate)
            return e is OperationCanceledException or IOException or SocketException or ObjectDisposedException
                || (_closing && e is InvalidOperationException or NotSupportedException);
    }
}
