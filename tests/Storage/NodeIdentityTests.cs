using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class NodeIdentityTests : TemporaryFolder
{
    private DataPaths Paths => new(Folder);

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("two words")]
    [InlineData("../../etc")]
    [InlineData(".hidden")]
    [InlineData("a\nb")]
    public void A_file_that_holds_no_id_is_refused_with_what_to_do_and_stays_as_it_is(string text)
    {
        File.WriteAllText(Paths.NodeId, text);
        Assert.Equal(
            $"{Paths.NodeId} does not hold a node's id: delete it, and the node draws a new one",
            Assert.Throws<ElasticException>(() => NodeIdentity.Load(Paths)).Message);
        Assert.Equal(text, File.ReadAllText(Paths.NodeId));
    }

    [Fact]
    public void A_file_that_is_too_long_for_an_id_is_refused()
    {
        File.WriteAllText(Paths.NodeId, new string('a', 81));
        Assert.Throws<ElasticException>(() => NodeIdentity.Load(Paths));
    }

    [Fact]
    public void A_data_directory_that_cannot_be_written_is_named()
    {
        Directory.CreateDirectory(Paths.NodeId);
        var refusal = Assert.Throws<ElasticException>(() => NodeIdentity.Load(Paths)).Message;
        Assert.StartsWith($"the node's id cannot be kept in {Paths.NodeId} (", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void The_id_is_drawn_once_and_is_the_same_at_every_start()
    {
        var first = NodeIdentity.Load(Paths);
        Assert.Matches("^[A-Za-z0-9_-]+-[0-9a-z]{8}$", first.Value);
        Assert.Equal($"{first}\n", File.ReadAllText(Paths.NodeId));
        Assert.Equal(first, NodeIdentity.Load(Paths));
    }

    [Fact]
    public void With_a_certificate_the_id_is_its_name_and_a_directory_of_another_node_is_refused()
    {
        var gpu7 = new Identity("gpu7-3k9v2mq7", Role.Worker);
        Assert.Equal(gpu7.Name, NodeIdentity.Load(Paths, gpu7).Value);
        Assert.Equal(gpu7.Name, NodeIdentity.Load(Paths).Value);
        Assert.Equal(
            $"{Paths.NodeId} says that this data directory is of the node gpu7-3k9v2mq7, and the certificate is worker gpu8's: start with "
            + "the certificate of gpu7-3k9v2mq7, or with gpu8's data directory; or delete "
            + $"{Paths.NodeId}, and what the directory holds is gpu8's from then on",
            Assert.Throws<ElasticException>(() => NodeIdentity.Load(Paths, new Identity("gpu8", Role.Worker))).Message);
    }

    [Fact]
    public void Each_data_directory_has_an_id_of_its_own() =>
        Assert.Distinct(Enumerable.Range(0, 100).Select(i =>
            NodeIdentity.Load(new DataPaths(Directory.CreateDirectory(Path.Combine(Folder, $"{i}")).FullName))));

    [Fact]
    public void A_copied_directory_has_the_id_of_the_original_which_is_why_the_cluster_looks_at_addresses_too()
    {
        var copy = Directory.CreateDirectory(Path.Combine(Folder, "copy")).FullName;
        var id = NodeIdentity.Load(Paths);
        File.Copy(Paths.NodeId, new DataPaths(copy).NodeId);
        Assert.Equal(id, NodeIdentity.Load(new DataPaths(copy)));
    }
}
