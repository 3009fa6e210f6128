using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;

namespace Elastic.Actors.Hosting;

/// <summary>Why no seed lets this process in at an address: says what is there instead, and what to do.</summary>
internal static class SeedDiagnosis
{
    /// <summary>A process that is there answers at once; the control plane says nothing to what is not Akka.</summary>
    public static readonly TimeSpan Knock = TimeSpan.FromSeconds(2);

    private const string NoPlain = "a seed without certificates takes no process that has some";
    private const string ControlPort = "--seed takes the control port of a seed, which the seed prints: \"seed HOST:PORT is up\"";

    /// <param name="knock">How long an answer is waited for, to each question.</param>
    public static async Task<string> OfAsync(Endpoint seed, Transport transport, TimeSpan knock, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(knock);
        Connection connection;
        try
        {
            connection = await transport.ConnectAsync(seed, limit.Token);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain)
        {
            return $"the name {seed.Host} has no address here: correct it, or give the seed's address";
        }
        catch (SocketException e)
        {
            return $"nothing listens there ({e.Message}): start the seed, or correct --seed";
        }
        catch (IOException e)
        {
            return (e as TlsException)?.Failure switch
            {
                TlsFailure.Foreign => $"{e.Message}: it is of another cluster (name its certificates with --certs, or correct --seed), or "
                    + $"another port: {ControlPort}",
                TlsFailure.CountsNotHere => e.Message,
                _ => $"{e.Message}: {ControlPort}; {NoPlain}",
            };
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return transport.IsEncrypted && await ListensAsync(seed, knock, cancel)
                ? $"something listens there that says nothing in TLS: {ControlPort}; {NoPlain}"
                : "it does not answer: see whether that machine runs, and whether a firewall is in between";
        }

        using (connection)
        {
            return await FirstBytesAsync(connection.Stream, knock, cancel) switch
            {
                _ when !transport.IsEncrypted && await WantsCertificateAsync(seed, knock, cancel) =>
                    "that seed wants a certificate, and this process has none: give it the file of a join token with --token-file, which "
                    + "elastic certs token writes where elastic certs init was done, or the folder of its certificates with --certs",
                ['H', 'T', 'T', 'P', '/', ..] => $"a data plane listens there: {ControlPort}",
                ['{', ..] => $"a server for pbm listens there: {ControlPort}",
                // A seed that refuses a certificate says nothing to who shows it.
                _ when transport.Credentials?.OwnProblem is { } problem => $"this process shows {problem}",
                _ => "something listens there and does not let this process in: "
                    + (transport.IsEncrypted
                        ? $"it is another port than a control port ({ControlPort}); or the seed refuses its certificate, as one that was "
                            + "revoked, which the seed's output says (delete node.pem and node.key, and start with a new token: "
                            + "--token-file); or "
                        : "either ")
                    + $"the cluster is just removing a dead member, or the seed has another name than {seed}, with which it was started "
                    + "as --host: give it as the seed prints it",
            };
        }
    }

    private static async Task<bool> ListensAsync(Endpoint seed, TimeSpan knock, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(knock);
        try
        {
            (await Transport.Plain.ConnectAsync(seed, limit.Token)).Dispose();
            return true;
        }
        catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return false;
        }
    }

    // Whether the process there shows a certificate when it is greeted by TLS; it is only looked at, nothing is said to that process.
    private static async Task<bool> WantsCertificateAsync(Endpoint seed, TimeSpan knock, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(knock);
        var isShown = false;
        try
        {
            using var connection = await Transport.Plain.ConnectAsync(seed, limit.Token);
            await using var tls = new SslStream(connection.Stream, leaveInnerStreamOpen: true);
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = seed.Host,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    {
                        isShown = certificate is not null;
                        return false;
                    },
                }, limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException
            || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // It ends here in any case: no certificate is taken for good.
        }

        return isShown;
    }

    // Each of Elastic's ports answers a request of HTTP in a way of its own; the control plane does not answer it at all.
    private static async Task<string> FirstBytesAsync(Stream stream, TimeSpan knock, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(knock);
        try
        {
            await stream.WriteAsync("GET /health HTTP/1.0\r\n\r\n"u8.ToArray(), limit.Token);
            var answer = new byte[16];
            return Encoding.ASCII.GetString(answer, 0, await stream.ReadAtLeastAsync(answer, 5, throwOnEndOfStream: false, limit.Token));
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return "";
        }
    }
}
