using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using Elastic.Foundation;

namespace Elastic.Messages.Pbm;

/// <summary>What was received is not the protocol of <see cref="PbmMessage"/>, or a message is too long for it.</summary>
public sealed class PbmProtocolException : ElasticException
{
    public PbmProtocolException() { }

    public PbmProtocolException(string message) : base(message) { }

    public PbmProtocolException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>
/// Reads and writes <see cref="PbmMessage"/>s. Holds at most one line in memory, and refuses a longer one than <see cref="MaxLineBytes"/>
/// before all of it has arrived. One reader and one writer at a time.
/// </summary>
public sealed class PbmStream(Stream stream) : IAsyncDisposable
{
    /// <summary>Bytes of the longest line, its end included.</summary>
    public const int MaxLineBytes = 1 << 20;

    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        // Refuse a message with a missing or null field here, not three calls later.
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private readonly PipeReader _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

    /// <summary>The next message; null when the other side has hung up.</summary>
    /// <exception cref="PbmProtocolException">A line is too long or no message.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<PbmMessage?> ReadAsync(CancellationToken cancel)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(cancel);
            var end = read.Buffer.PositionOf((byte)'\n');
            if ((end is { } e ? read.Buffer.Slice(0, e).Length + 1 : read.Buffer.Length) > MaxLineBytes)
                throw new PbmProtocolException($"a line is longer than {MaxLineBytes} bytes");
            if (end is { } found)
            {
                var message = Parse(read.Buffer.Slice(0, found));
                _reader.AdvanceTo(read.Buffer.GetPosition(1, found));
                return message;
            }

            _reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
                return null;
        }
    }

    /// <summary>Sends <paramref name="message"/>. A cancelled write leaves half a line behind: hang up after it.</summary>
    /// <exception cref="PbmProtocolException">It is too long for a line; nothing was sent.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task WriteAsync(PbmMessage message, CancellationToken cancel)
    {
        var line = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(line))
            JsonSerializer.Serialize(json, message, Json);
        line.Write("\n"u8);
        if (line.WrittenCount > MaxLineBytes)
            throw new PbmProtocolException($"a message of {line.WrittenCount} bytes is too long to send: at most {MaxLineBytes} bytes");
        await stream.WriteAsync(line.WrittenMemory, cancel);
    }

    /// <summary>Hangs up; a read that is under way fails.</summary>
    /// <remarks>Does not complete the reader, which would return its memory to the pool while that read may still write to it.</remarks>
    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private static PbmMessage Parse(ReadOnlySequence<byte> line)
    {
        try
        {
            var json = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize<PbmMessage>(ref json, Json)
                ?? throw new PbmProtocolException("a line is no message but null");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)      // the latter: an object without a type
        {
            throw new PbmProtocolException("a line is no message of this protocol", e);
        }
    }
}
