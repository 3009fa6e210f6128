using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Foundation.Tests.Joining;

/// <summary>A seed with the authority's key that accepts connections on the loopback, as its control plane does.</summary>
public abstract class JoinScene : TemporaryFolder, IAsyncLifetime
{
    private readonly List<SeedPort> _seeds = [];

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected SeedPort Seed => _seeds[0];

    protected CertificateFiles SeedFiles => new(Path.Combine(Folder, "seed"));

    public virtual async ValueTask InitializeAsync()
    {
        using (var issuer = await Issuer.CreateAsync(SeedFiles, TimeProvider.System, Cancel))
            Issue(issuer, SeedFiles, new Identity("seed1", Role.Seed));
        Start(SeedFiles);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var seed in _seeds)
            await seed.DisposeAsync();
        Dispose();
    }

    private protected SeedPort Start(CertificateFiles files, TimeProvider? time = null, bool joins = true)
    {
        _seeds.Add(new SeedPort(files, time ?? TimeProvider.System, joins));
        return _seeds[^1];
    }

    protected static Task UntilAsync(string what, Func<bool> condition) =>
        new Wait(TimeSpan.FromSeconds(20), TimeSpan.FromMilliseconds(10)).UntilAsync(what, () => Task.FromResult(condition()));

    protected CertificateFiles FilesOf(string machine) => new(Path.Combine(Folder, machine));

    protected async Task<JoinToken> TokenAsync(Role role = Role.Worker, int uses = 1, TimeSpan? lifetime = null, params string[] names)
    {
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        return issuer.NewToken(role, uses, lifetime ?? TimeSpan.FromHours(1), names);
    }

    private protected async Task JoinAsync(JoinToken token, string name, SeedPort? seed = null) =>
        await JoinClient.AskAsync((seed ?? Seed).Endpoint, token, name, FilesOf(name), _ => { }, Cancel);

    private protected async Task<string> RefusalAsync(JoinToken token, string name, SeedPort? seed = null)
    {
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => JoinAsync(token, name, seed));
        Assert.False(FilesOf(name).AreThere);
        return refusal.Message;
    }

    protected static void Issue(Issuer issuer, CertificateFiles files, Identity identity, TimeSpan? validity = null)
    {
        var (certificate, keyPath) = files.Of(identity.Role);
        Directory.CreateDirectory(files.Folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateFiles.WriteSecret(keyPath, key.ExportPkcs8PrivateKeyPem());
        CertificateFiles.WritePublic(files.Authority, issuer.AuthorityPem);
        CertificateFiles.WritePublic(
            certificate, issuer.Issue(new PublicKey(key), identity, validity ?? CertificateAuthority.Validity, "test"));
    }

    /// <summary>Accepts connections as a seed does, and notes what came of each.</summary>
    internal sealed class SeedPort : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _ending = new();
        private readonly Transport _transport;
        private readonly Task _accepting;

        public SeedPort(CertificateFiles files, TimeProvider time, bool joins)
        {
            Credentials = Credentials.OfNode(files, time);
            Credentials.Say = Said.Enqueue;
            // How long a request may take is the test's to say, by its clock: the real one goes on, on a busy machine, too.
            _transport = TlsTransport.BetweenNodes(Credentials, joins ? new JoinServer(Credentials).ServeAsync : null) with
            {
                Handshake = TimeSpan.FromMinutes(5),
            };
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public Credentials Credentials { get; }

        public ConcurrentQueue<string> Said { get; } = [];

        /// <summary>How connections ended that reached nothing behind the transport.</summary>
        public ConcurrentQueue<string> Refused { get; } = [];

        /// <summary>Who got through.</summary>
        public ConcurrentQueue<Identity?> Accepted { get; } = [];

        public Endpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

        public async ValueTask DisposeAsync()
        {
            await _ending.CancelAsync();
            _listener.Dispose();
            await _accepting;
            Credentials.Dispose();
            _ending.Dispose();
        }

        private async Task AcceptAsync()
        {
            var serving = new List<Task>();
            try
            {
                while (true)
                    serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_ending.Token)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                await Task.WhenAll(serving);
            }
        }

        private async Task ServeAsync(Socket socket)
        {
            try
            {
                await using var stream = await _transport.AcceptAsync(new NetworkStream(socket, ownsSocket: true), _ending.Token);
                Accepted.Enqueue(TlsTransport.PeerOf(stream));
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                Refused.Enqueue(e.Message);
            }
        }
    }
}
