using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// A seed's side of joining and of renewal. It is the only code that reads what a client without a certificate sends, so it reads one
/// message of 8 KiB at most, within 10 s, of 16 clients at once.
/// </summary>
public sealed class JoinServer
{
    private const int MostAtOnce = 16;

    // In all: a machine that has mistaken a token tries once. A guess at a secret of 160 bits is hopeless at any rate; this keeps the log
    // short.
    private const int MostFailures = 5;
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FailureDelay = TimeSpan.FromMilliseconds(200);

    private readonly Credentials _credentials;
    private readonly Queue<long> _failures = [];                      // when; at most MostFailures
    private int _serving;

    internal JoinServer(Credentials credentials) => _credentials = credentials;

    /// <summary>What a process gives to <see cref="TlsTransport.BetweenNodes"/>; null where it is no seed: nobody would trust it.</summary>
    public static Func<Stream, CancellationToken, Task>? For(Credentials credentials)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        return credentials.Self.Role == Role.Seed ? new JoinServer(credentials).ServeAsync : null;
    }

    internal async Task ServeAsync(Stream stream, CancellationToken cancel)
    {
        var peer = (PeerStream)stream;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var deadline = _credentials.Time.CreateTimer(_ => Cancel(limit), null, JoinProtocol.Deadline, Timeout.InfiniteTimeSpan);
        try
        {
            var busy = Interlocked.Increment(ref _serving) > MostAtOnce || (peer.Peer is null && TooManyFailures());
            await JoinProtocol.WriteAsync(
                stream, new JoinGreeting(_credentials.Authority.ExportCertificatePem(), busy), limit.Token);
            if (!busy)
                await AnswerAsync(peer, limit.Token);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            if (peer.Peer is null)
                Failed();
            Refused(peer, OneLine.Of(e.Message));
            throw new IOException(e.Message, e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            Refused(peer, $"no whole request within {JoinProtocol.Deadline.TotalSeconds:0} s");
            throw new IOException($"no whole request within {JoinProtocol.Deadline.TotalSeconds:0} s", e);
        }
        finally
        {
            await deadline.DisposeAsync();
            Interlocked.Decrement(ref _serving);
        }
    }

    private async Task AnswerAsync(PeerStream stream, CancellationToken cancel)
    {
        var request = await JoinProtocol.ReadAsync<JoinRequest>(stream, JoinProtocol.MostRequestBytes, cancel);
        JoinAnswer answer;
        if (!_credentials.Files.CanIssue)
        {
            answer = JoinAnswer.Refusal(
                $"{_credentials.Self} has not the authority's key and cannot issue certificates: ask the seed on the machine on which "
                + "elastic certs init was done", elsewhere: true);
        }
        else
        {
            try
            {
                using var issuer = await Issuer.OpenAsync(_credentials.Files, _credentials.Time, cancel);
                var pem = stream.Peer is null ? Join(issuer, request, stream) : Renew(issuer, request, stream);
                answer = new JoinAnswer(pem, issuer.SignedRevocations, null, false);
            }
            catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
            {
                if (stream.Peer is null)
                    Failed();
                var whom = stream.Peer?.ToString() ?? $"{request}";
                _credentials.SayRefusal($"gave no certificate to {whom} at {stream.Address}: {e.Message}");
                await Task.Delay(FailureDelay, cancel);
                answer = JoinAnswer.Refusal(e.Message);
            }
        }

        await JoinProtocol.WriteAsync(stream, answer, cancel);
        await HungUpAsync(stream, cancel);
    }

    // Whoever has accepted the connection may abort it next, and an answer that is on its way would be lost, and with it the token's use.
    private static async Task HungUpAsync(PeerStream stream, CancellationToken cancel)
    {
        try
        {
            _ = await stream.ReadAsync(new byte[1], cancel);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // It has the answer, or had ten seconds to take it.
        }
    }

    private string Join(Issuer issuer, JoinRequest request, PeerStream stream)
    {
        if (request is not { Token: { } token, Name: { } name, Key: { } key } || Identity.RoleOf(request.Role ?? "") is not { } role)
            throw new ElasticException("the request is not complete: it needs a token, a role, a name and a key");
        if (KeyOf(key) is not { } publicKey)
            throw new ElasticException("the request holds no public key");
        var identity = new Identity(name, role);
        var pem = issuer.IssueFor(token, publicKey, identity, NamesOf(request, stream));
        _credentials.Say($"gave {identity} at {stream.Address} its certificate, for join token {JoinToken.HashOf(token).Short}");
        return pem;
    }

    private string Renew(Issuer issuer, JoinRequest request, PeerStream stream)
    {
        using var present = X509CertificateLoader.LoadCertificate(((X509Certificate2)stream.RemoteCertificate!).RawDataMemory.Span);
        var pem = issuer.Renew(present, "renewal", NamesOf(request, stream));
        _credentials.Say($"renewed the certificate of {stream.Peer} at {stream.Address}");
        return pem;
    }

    // A browser that trusts the authority would take the machine for any site whose name it asked for. Other names are given where the
    // authority's key is.
    private static IReadOnlyList<string> NamesOf(JoinRequest request, PeerStream stream) =>
        CertificateNames.OwnOf(stream.Remote?.Address, request.Names ?? []);

    private static PublicKey? KeyOf(string key)
    {
        try
        {
            return PublicKey.CreateFromSubjectPublicKeyInfo(Convert.FromBase64String(key), out _);
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return null;
        }
    }

    private void Refused(PeerStream peer, string why) =>
        _credentials.SayRefusal($"refused a request for a certificate from {peer.Address}: {why}");

    private bool TooManyFailures()
    {
        lock (_failures)
            return _failures.Count == MostFailures && _credentials.Time.GetElapsedTime(_failures.Peek()) < Within;
    }

    private void Failed()
    {
        lock (_failures)
        {
            if (_failures.Count == MostFailures)
                _failures.Dequeue();
            _failures.Enqueue(_credentials.Time.GetTimestamp());
        }
    }

    private static void Cancel(CancellationTokenSource limit)
    {
        try
        {
            limit.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The conversation has just ended.
        }
    }
}
