using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Testing;

/// <summary>
/// A PostgreSQL server of one test's own, on a free port and in a temporary directory. It can be stopped and started again, and is gone
/// after <see cref="DisposeAsync"/>. It needs Debian's package postgresql (the programs only, no running service).
/// </summary>
public sealed class PostgresInstance : IAsyncDisposable
{
    private const string Password = "p@ss/word";

    // Debian keeps the programs of each version in a folder of its own and out of the search path.
    private const string Debian = "/usr/lib/postgresql";

    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(60);

    private readonly string _programs;
    private readonly string _folder;
    private bool _running;

    private PostgresInstance(string programs, string folder, int port) => (_programs, _folder, Port) = (programs, folder, port);

    public int Port { get; }

    /// <summary>What a seed's <c>--database</c> takes.</summary>
    public string Url => UrlAt("127.0.0.1", "disable");

    /// <summary>The authority that has issued the server's certificate, which names 127.0.0.1 and nothing else.</summary>
    public string AuthorityFile => Path.Combine(_folder, "authority.pem");

    /// <summary>The same as <see cref="Url"/>, at a name of this machine, with a mode of TLS.</summary>
    public string UrlAt(string host, string sslMode) =>
        $"postgres://elastic:{Uri.EscapeDataString(Password)}@{host}:{Port}/postgres?sslmode={sslMode}";

    /// <summary>Creates the server and starts it. The test is skipped where PostgreSQL is not installed.</summary>
    /// <exception cref="InvalidOperationException">PostgreSQL does not start.</exception>
    public static async Task<PostgresInstance> StartNewAsync()
    {
        var programs = FindPrograms(Debian, Programs.SearchPath);
        Requirement.Need(programs is not null, "needs PostgreSQL: apt-get install postgresql (only its programs, no running service)");
        var folder = Directory.CreateTempSubdirectory("elastic-postgres-").FullName;
        var instance = new PostgresInstance(programs, folder, FreePort.Take());
        try
        {
            var passwordFile = Path.Combine(folder, "password");
            await File.WriteAllTextAsync(passwordFile, Password);
            if (Environment.IsPrivilegedProcess)
                await RunAsync("chown", ["-R", "postgres", folder]);
            await instance.RunProgramAsync("initdb", "-D", instance.Data, "-U", "elastic", "-A", "scram-sha-256", "--pwfile", passwordFile,
                "-E", "UTF8", "--locale=C", "--no-sync");
            await instance.MakeCertificateAsync();
            await instance.StartAsync();
            return instance;
        }
        catch
        {
            await instance.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// The folder with the programs of a server: Debian's newest version, else that of the search path; null where there is none.
    /// </summary>
    internal static string? FindPrograms(string debian, IEnumerable<string> searchPath)
    {
        var versions = Directory.Exists(debian) ? Directory.GetDirectories(debian) : [];
        var newestFirst = versions.OrderByDescending(v => int.TryParse(Path.GetFileName(v), out var number) ? number : 0)
            .Select(v => Path.Combine(v, "bin"));
        return Path.GetDirectoryName(Programs.Find(newestFirst.Concat(searchPath), "initdb"));
    }

    /// <summary>Starts the server again, on the same port and data.</summary>
    public async Task StartAsync()
    {
        // Durability is what a test that kills processes, not machines, can do without.
        await RunProgramAsync("pg_ctl", "-D", Data, "-w", "-l", Path.Combine(_folder, "log"),
            "-o", $"-p {Port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={_folder} -c fsync=off -c synchronous_commit=off "
                + "-c ssl=on",
            "start");
        _running = true;
    }

    /// <summary>Stops the server at once, cutting all connections.</summary>
    public async Task StopAsync()
    {
        await RunProgramAsync("pg_ctl", "-D", Data, "-w", "-m", "fast", "stop");
        _running = false;
    }

    public async ValueTask DisposeAsync()
    {
        if (_running)
            await StopAsync();
        Directory.Delete(_folder, true);
    }

    private string Data => Path.Combine(_folder, "data");

    // In the files where the server looks for it.
    private async Task MakeCertificateAsync()
    {
        using ECDsa authoritysKey = ECDsa.Create(ECCurve.NamedCurves.nistP256), key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (began, ends) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var request = new CertificateRequest("CN=authority", authoritysKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = request.CreateSelfSigned(began, ends);
        request = new CertificateRequest("CN=server", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, began, ends, [1]);
        await File.WriteAllTextAsync(AuthorityFile, authority.ExportCertificatePem());
        var (certificateFile, keyFile) = (Path.Combine(Data, "server.crt"), Path.Combine(Data, "server.key"));
        await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem());
        await RunAsync("chmod", ["600", certificateFile, keyFile]);
        if (Environment.IsPrivilegedProcess)
            await RunAsync("chown", ["postgres", certificateFile, keyFile]);
    }

    // PostgreSQL refuses to run as root; the package has created a user for it.
    private Task RunProgramAsync(string program, params string[] arguments) => Environment.IsPrivilegedProcess
        ? RunAsync("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", Path.Combine(_programs, program), .. arguments])
        : RunAsync(Path.Combine(_programs, program), arguments);

    private static async Task RunAsync(string program, string[] arguments)
    {
        // The output is not redirected: the server inherits it from pg_ctl, and the end of it would never come.
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = "/" };
        foreach (var argument in (string[])["-c", "exec \"$0\" \"$@\" >/dev/null", program, .. arguments])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(CommandDeadline);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException e)
        {
            // Else it would go on while its folder is deleted.
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw new InvalidOperationException(
                $"{Path.GetFileName(program)} {string.Join(' ', arguments)} did not end within {CommandDeadline.TotalSeconds} s", e);
        }

        if (process.ExitCode != 0)
            throw new InvalidOperationException(
                $"{Path.GetFileName(program)} {string.Join(' ', arguments)} ended with {process.ExitCode}: what it wrote is above");
    }
}
