using System.IO.Pipelines;
using System.Security.Authentication;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Microsoft.AspNetCore.Connections;

namespace Elastic.Transfer;

/// <summary>Lets Kestrel accept its connections through a <see cref="Transport"/>.</summary>
internal static class KestrelTransport
{
    public static void UseTransport(this IConnectionBuilder listener, Transport transport) => listener.Use(next => async connection =>
    {
        var pipes = connection.Transport;
        var accepted = new DuplexStream(connection);
        Stream stream;
        try
        {
            stream = await transport.AcceptAsync(accepted, connection.ConnectionClosed);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or OperationCanceledException)
        {
            connection.Abort();
            return;
        }

        if (stream == accepted)
        {
            // The transport wraps nothing: Kestrel keeps its own pipes, by which a file's bytes are copied once.
            await next(connection);
            return;
        }

        await using (stream)
        {
            connection.Transport = new Pipes(stream);
            if (TlsTransport.PeerOf(stream) is { } peer)
                connection.Features.Set(new ConnectionPeer(peer));
            try
            {
                await next(connection);
            }
            finally
            {
                connection.Transport = pipes;
            }
        }
    });

    private sealed class Pipes(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
    }
}
