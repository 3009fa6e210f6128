using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Commands;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

public sealed class CorpusAuditTests : TemporaryFolder
{
    [Fact]
    public void What_is_missing_is_fetched_with_the_certificate_of_the_node_whose_directory_is_audited()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "authority"));
        Assert.Null(CorpusAudit.CredentialsOf(new CertificateFiles(Folder), isNamed: false));
        using var own = CorpusAudit.CredentialsOf(authority.Issue("w1", Role.Worker), isNamed: false);
        Assert.Equal("worker w1", $"{own!.Self}");
        Assert.Throws<ElasticException>(() => CorpusAudit.CredentialsOf(new CertificateFiles(Folder), isNamed: true));
    }

    [Fact]
    public void The_audit_says_of_how_many_drawn_results_two_nodes_agreed_and_which_ones_one_node_computed_alone()
    {
        Assert.Empty(CorpusAudit.Lines(new DrawnResults(0, [], 0)));
        Assert.Equal(
            ["drawn to be computed twice: 1 result; on 1 of them two nodes agreed"], CorpusAudit.Lines(new DrawnResults(1, [], 0)));
        Assert.Equal(
            [
                "drawn to be computed twice: 9 results; on 2 of them two nodes agreed",
                "computed by one node alone, as no second one was there: round 0, replica 1; round 1, replica 1; round 2, replica 1; "
                    + "round 3, replica 1; round 4, replica 1 and 2 more",
                "not checked: what was drawn in 2 rounds, because the journal has no secret of them",
            ],
            CorpusAudit.Lines(new DrawnResults(9, [.. Enumerable.Range(0, 7).Select(r => $"round {r}, replica 1")], 2)));
    }
}
