using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Pbm;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>Who may do what by pbm, over real connections.</summary>
public sealed class PbmIdentityTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly FakeCluster _cluster = new() { Nodes = [Tests.Views.Node("10.0.0.1:4053", "z-8h2m4xyq")] };
    private readonly StringWriter _output = new(), _error = new();
    private readonly Elastic.Pbm.Interruption _interruption = new();

    private string Log => File.ReadAllText(Path.Combine(_folder, CommandLog.FileName));

    private PbmService Service => TestService.Of(_folder, ControlPalettes.Of(_cluster, TimeProvider.System));

    // Where pbm looks that is started in the folder of this test's process.
    private static string Found => Environment.GetEnvironmentVariable("ELASTIC_DATA_DIR") is { Length: > 0 } named ? named : "elastic-data";

    public void Dispose()
    {
        _interruption.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void The_commands_that_change_something_are_these() => Assert.Equal(
        ["run start", "run stop", "run pause", "run resume", "run checkpoint", "run evaluate", "run scale", "run priority", "run set",
            "run delete", "node devices", "node drain", "corpus build", "corpus stop", "corpus delete"],
        ControlPalettes.Of(_cluster, TimeProvider.System)
            .SelectMany(p => p.Commands.Where(c => c.Changes).Select(c => $"{p.Name} {c.Help.Name}")));

    [Theory]
    [InlineData(null, "pbm has shown no token")]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "the token that pbm has shown is another seed's")]
    public async Task Without_the_seed_s_token_nobody_is_served_and_the_refusal_says_where_it_is(string? token, string problem)
    {
        await using var server = await StartAsync(Transport.Plain);
        var other = Path.Combine(_folder, "other");
        if (token is not null)
            CertificateFiles.WriteSecret(other, token);
        Assert.Equal(ExitCodes.Failed, await Pbm(server, null, token is null ? "run list" : $"run list --token-file {other}"));
        Assert.Contains($"the seed at {server.Endpoint} refuses: {problem}", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains(
            $"it is in {PbmToken.PathIn(_folder)}: name that file, or a copy of mode 0600, with pbm --token-file FILE",
            _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_output.ToString());
        Assert.Contains(problem, Log, StringComparison.Ordinal);
        Assert.DoesNotContain(token ?? TestService.Token, Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_help_is_there_for_who_is_refused()
    {
        await using var server = await StartAsync(Transport.Plain);
        Assert.Equal(ExitCodes.Done, await Pbm(server, null, "run stop --help"));
        Assert.Contains("pbm has shown no token", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_looks_and_changes_nothing_an_admin_does_and_both_are_who_their_certificates_say()
    {
        using var authority = new TestAuthority(Path.Combine(_folder, "authority"));
        using var seed = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var reader = Credentials.OfPerson(authority.Issue("ray", Role.Reader), TimeProvider.System);
        using var admin = Credentials.OfPerson(authority.Issue("ann", Role.Admin), TimeProvider.System);
        await using var server = await PbmServer.StartAsync(
            "127.0.0.1", 0, Service with { Token = null }, TlsTransport.ForPbm(seed), CancellationToken.None);

        Assert.Equal(ExitCodes.Done, await Pbm(server, reader, "run status -n tiny"));
        Assert.Equal(ExitCodes.Failed, await Pbm(server, reader, "run stop -n tiny"));
        Assert.Contains(
            "reader ray may look and change nothing, and run stop changes something: use the certificate of an admin",
            _error.ToString(), StringComparison.Ordinal);
        // Devices may be looked at, and not be given.
        Assert.Equal(ExitCodes.Done, await Pbm(server, reader, "node devices"));
        Assert.Equal(ExitCodes.Failed, await Pbm(server, reader, "node devices -d cpu:2"));
        Assert.Contains("node devices changes something", _error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotMatch("\"command\":\"node devices\",\"arguments\":\\[[^\\]]*\\]\\}", Log);       // nothing of them has begun
        Assert.Null(_cluster.Asker);
        Assert.Equal(ExitCodes.Done, await Pbm(server, admin, "node devices -d cpu:2"));
        Assert.Equal("pbm admin ann", _cluster.Asker!.Who);
        Assert.Equal(ExitCodes.Done, await Pbm(server, admin, "run stop -n tiny"));
        Assert.Equal("pbm admin ann", _cluster.Asker!.Who);
        Assert.Matches("\"who\":\"pbm reader ray\".*\"command\":\"run stop\".*\"exitCode\":1", Log);
    }

    [Fact]
    public async Task A_seed_with_certificates_takes_no_token()
    {
        await using var server = await PbmServer.StartAsync(
            "127.0.0.1", 0, Service with { Token = null }, Transport.Plain, CancellationToken.None);
        Assert.Equal(ExitCodes.Failed, await Pbm(server, null, $"run list --token-file {PbmToken.PathIn(_folder)}"));
        Assert.Contains("it wants a certificate: pbm --certs DIR", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_asked_is_in_the_log_with_who_when_and_what_came_of_it()
    {
        await using var server = await StartAsync(Transport.Plain);
        await Pbm(server, null, $"run stop -n tiny --token-file {PbmToken.PathIn(_folder)}");
        var lines = Log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);                                     // it began, and it ended
        Assert.All(lines, l => Assert.Matches(
            """^\{"at":"20.*","who":"pbm \w.*","from":"127.0.0.1:\d+","id":"\w{32}","command":"run stop","arguments":\["--name=tiny"\]""",
            l));
        Assert.DoesNotContain("exitCode", lines[0], StringComparison.Ordinal);
        Assert.EndsWith(",\"exitCode\":0}", lines[1], StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, CommandLog.FileName)));
    }

    [Theory]
    [InlineData("node.database=postgres://u:sec?ret@h/d")]
    [InlineData("node.databse=sec?ret")]
    [InlineData("run.name=postgres://u:sec?ret@h/d")]
    [InlineData("run.rounds=postgres://u:secret@h/d")]
    public async Task Passwords_and_the_texts_of_files_are_not_in_the_log(string set)
    {
        await using var server = await StartAsync(Transport.Plain);
        var file = Path.Combine(_folder, "mine.conf");
        await File.WriteAllTextAsync(file, "# secret\nrun { rounds = 7 }");
        await Pbm(server, null, $"run start -n a -c {file} -s {set} --token-file {PbmToken.PathIn(_folder)}");
        Assert.Contains($"--config={file} (27 characters)", Log, StringComparison.Ordinal);
        Assert.Contains("***", Log, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", Log, StringComparison.Ordinal);
        Assert.DoesNotContain("sec?ret", Log, StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_stays_one_line_of_a_bounded_length_and_has_nothing_that_a_terminal_obeys()
    {
        var log = new CommandLog(Path.Combine(_folder, CommandLog.FileName), TimeProvider.System);
        var value = new CallValue("set", "\u001b[2J\u202e" + new string('y', 10_000));
        var call = new PbmMessage.Call("run\n", new string('x', 10_000), [.. Enumerable.Repeat(value, 10_000)], Json: false);
        log.End(call, new("1", "pbm anna", DateTimeOffset.UnixEpoch), "127.0.0.1:1", 1, "a\nb\u001b" + new string('z', 10_000));
        Assert.InRange(Log.Length, 1000, 40_000);
        Assert.Equal(Log.Length - 1, Log.IndexOf('\n', StringComparison.Ordinal));
        Assert.DoesNotContain("001b", Log, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(TerminalText.Printable(Log.TrimEnd()), Log.TrimEnd());
        Assert.Contains("and 9950 more", Log, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flood_of_refusals_does_not_push_the_commands_out_of_the_log()
    {
        var log = new CommandLog(Path.Combine(_folder, CommandLog.FileName), TimeProvider.System);
        for (var i = 0; i < 1000; i++)
            log.Refuse("127.0.0.1:1", "pbm has shown no token");
        Assert.InRange(Log.Count(c => c == '\n'), 1, 20);
    }

    [Fact]
    public void A_seed_names_the_option_without_which_pbm_would_not_find_its_token_or_its_certificates()
    {
        var at = new Endpoint("127.0.0.1", 9110);
        Assert.Equal($"pbm {at} --token-file {PbmToken.PathIn(_folder)}", PbmService.Words(at, null, PbmToken.PathIn(_folder)));
        Assert.Equal($"pbm {at} --certs '/a folder/certs'", PbmService.Words(at, new CertificateFiles("/a folder/certs"), null));
        Assert.Equal($"pbm {at}", PbmService.Words(at, null, PbmToken.PathIn(Found)));
    }

    private Task<PbmServer> StartAsync(Transport transport) =>
        PbmServer.StartAsync("127.0.0.1", 0, Service, transport, CancellationToken.None);

    private Task<int> Pbm(PbmServer server, Credentials? credentials, string line) => PbmCommandLine.RunAsync(
        line.Split(' '), server.Endpoint.ToString(), new PbmConsole(TextReader.Null, _output, _error, IsInteractive: false),
        _interruption, PbmDeadlines.Default, credentials is null ? Transport.Plain : TlsTransport.ForPbm(credentials));
}
