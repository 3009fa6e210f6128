using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

public sealed class RememberedSeedsTests : TemporaryFolder
{
    private static readonly Endpoint Asked = Endpoint.Parse("10.0.0.5:4053"), Other = Endpoint.Parse("10.0.0.6:4053");

    private string File => Path.Combine(Folder, "known-seeds");

    [Fact]
    public async Task A_worker_whose_seed_is_gone_asks_the_seeds_that_it_saw_before()
    {
        Assert.Equal([Asked], await NamedAsync([Asked]));
        new RememberedSeeds(File, [Asked]).Write([Asked, Other]);
        Assert.Equal([Asked, Other], await NamedAsync([Asked]));
    }

    [Fact]
    public async Task A_worker_that_is_started_for_another_cluster_asks_no_seed_of_the_old_one()
    {
        new RememberedSeeds(File, [Asked]).Write([Asked, Other]);
        var elsewhere = Endpoint.Parse("10.9.9.9:4053");
        Assert.Equal([elsewhere], await NamedAsync([elsewhere]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.0.0.5:4053")]
    [InlineData("10.0.0.5:4053\n\0not an address\n")]
    public async Task A_damaged_file_keeps_nobody_from_asking(string text)
    {
        await System.IO.File.WriteAllTextAsync(File, text);
        Assert.Equal([Asked], await NamedAsync([Asked]));
    }

    // Elsewhere a name server may know this machine by another name.
    [Fact]
    public async Task A_seed_that_was_in_the_cluster_under_the_name_that_was_given_is_not_asked_under_another_one()
    {
        var asked = Endpoint.Parse("127.0.0.1:4053");
        var remembered = new RememberedSeeds(File, [asked]);
        remembered.Write([asked]);
        var contacts = new Contacts([asked], null, Transport.Plain, remembered);
        for (var attempt = 0; attempt < 3; attempt++)
            Assert.Equal(
                [asked.ToAddress()], (await contacts.FindAsync(Endpoint.Parse("10.0.0.7:4053").ToAddress(), attempt, default)).Members);
    }

    private async Task<IReadOnlyList<Endpoint>> NamedAsync(Endpoint[] asked)
    {
        var contacts = new Contacts(asked, null, Transport.Plain, new RememberedSeeds(File, asked));
        var self = Endpoint.Parse("10.0.0.7:4053").ToAddress();
        return (await contacts.FindAsync(self, 0, default)).Named;
    }
}
