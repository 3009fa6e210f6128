using System.Net;
using System.Net.Sockets;
using Elastic.Foundation.Certificates;
using Elastic.Host.Commands;
using Elastic.Host.Doctor;
using Elastic.Storage;
using Elastic.Testing;
using Microsoft.Data.Sqlite;

namespace Elastic.Host.Tests.Doctor;

public sealed class NodeFindingsTests : TemporaryFolder
{
    [Theory]
    [InlineData(1024L, true)]
    [InlineData(4096L, false)]
    [InlineData(long.MaxValue, false)]
    [InlineData(null, false)]
    public void Few_open_files_are_a_problem(long? limit, bool problem) =>
        Assert.Equal(problem, NodeFindings.Files(limit).Remedy is not null);

    [Fact]
    public void A_port_in_use_is_named_with_its_option_and_is_no_problem()
    {
        // An address of the loopback that nobody else uses.
        using var holder = new TcpListener(IPAddress.Parse("127.83.4.9"), NodeOptions.DefaultHttpPort);
        holder.Start();
        var finding = NodeFindings.Ports("127.83.4.9");
        Assert.Null(finding.Remedy);
        Assert.Contains("4080 (--http-port)", finding.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("4053", finding.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("192.0.2.77")]
    public void A_host_that_is_not_this_machine_s_is_a_problem(string host) => Assert.NotNull(NodeFindings.Ports(host).Remedy);

    [Fact]
    public async Task Certificates_are_looked_at_where_there_are_any()
    {
        var files = new CertificateFiles(Path.Combine(Folder, "certs"));
        Assert.Empty(CertificateFindings.Of(files, TimeProvider.System));
        await ElasticCommandLine.RunAsync(["certs", "init", "--data-dir", Folder], TextWriter.Null, TextWriter.Null);
        Assert.Equal([null, null], CertificateFindings.Of(files, TimeProvider.System).Select(f => f.Remedy));
        Assert.All(CertificateFindings.Of(files, new Later(TimeSpan.FromDays(84))), f =>
        {
            Assert.EndsWith("Z)", f.Text, StringComparison.Ordinal);
            Assert.Equal($"elastic certs renew --certs {files.Folder} renews it", f.Remedy);
        });
        Assert.All(CertificateFindings.Of(files, new Later(TimeSpan.FromDays(91))), f => Assert.NotNull(f.Remedy));
        Assert.Contains(CertificateFindings.Of(files, new Later(TimeSpan.FromDays(3600))), f =>
            f.Text.StartsWith("the authority expires in 49 days (", StringComparison.Ordinal)
            && f.Remedy!.StartsWith("elastic certs init --certs DIR makes another one", StringComparison.Ordinal));
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(files.AuthorityKey, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            Assert.All(CertificateFindings.Of(files, TimeProvider.System), f => Assert.Equal($"chmod 600 {files.AuthorityKey}", f.Remedy));
        }

        await File.WriteAllTextAsync(files.Key, "");
        Assert.NotNull(CertificateFindings.Of(files, TimeProvider.System).First().Remedy);
    }

    private sealed class Later(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + by;
    }

    [Fact]
    public async Task A_damaged_page_of_the_journal_is_a_problem_with_a_remedy()
    {
        var path = Path.Combine(Folder, "journal.db");
        await DatabaseAddress.Parse($"sqlite:{path}", Folder).PrepareAsync(_ => { }, default);
        SqliteConnection.ClearAllPools();
        Assert.Null(NodeFindings.Database($"sqlite:{path}").Remedy);
        using (var file = File.OpenWrite(path))
        {
            file.Seek(4096, SeekOrigin.Begin);
            file.Write(new byte[4096]);
        }

        var finding = NodeFindings.Database($"sqlite:{path}");
        Assert.StartsWith($"the journal sqlite:{path} is damaged (", finding.Text, StringComparison.Ordinal);
        Assert.Equal(DamagedDatabase.Remedy, finding.Remedy);
        var output = new StringWriter();
        await ElasticCommandLine.RunAsync(["doctor", "--data-dir", Folder], output, TextWriter.Null);
        Assert.Contains($"PROBLEM  database      the journal sqlite:{path} is damaged", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_database_is_asked()
    {
        Assert.NotNull(NodeFindings.Database("mysql://a").Remedy);
        Assert.NotNull(NodeFindings.Database("postgres://a:secret@127.0.0.1:1/b").Remedy);
        Assert.DoesNotContain("secret", NodeFindings.Database("postgres://a:secret@127.0.0.1:1/b").Text, StringComparison.Ordinal);
        Assert.NotNull(NodeFindings.Database($"sqlite:{Folder}/missing/journal.db").Remedy);
        Assert.Null(NodeFindings.Database($"sqlite:{Folder}/journal.db").Remedy);
        Assert.False(File.Exists($"{Folder}/journal.db"));
    }
}
