namespace Elastic.Foundation.Tests;

public sealed class ParallelsTests
{
    [Fact]
    public void What_fails_under_several_threads_is_one_exception_and_first_what_a_person_can_mend()
    {
        using var both = new Barrier(2);
        var error = Assert.Throws<ElasticException>(() => Parallels.For(2, 2, i =>
        {
            both.SignalAndWait(TimeSpan.FromSeconds(30));
            throw i == 0 ? new IOException("the disk is full") : new ElasticException("free space");
        }));
        Assert.Equal("free space", error.Message);
        Assert.Throws<IOException>(() => Parallels.For(2, 2, i =>
        {
            both.SignalAndWait(TimeSpan.FromSeconds(30));
            throw new IOException("the disk is full");
        }));
        Assert.ThrowsAny<OperationCanceledException>(() => Parallels.For(2, 2, _ => { }, new CancellationToken(canceled: true)));
    }
}
