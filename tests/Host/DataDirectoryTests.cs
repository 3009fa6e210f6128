using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Host.Tests;

public sealed class DataDirectoryTests
{
    private readonly DataDirectory _data = new(Path.Combine(Directory.CreateTempSubdirectory("elastic-test-").FullName, "data"));

    [Fact]
    public void A_directory_in_use_names_the_directory_the_process_and_the_remedy()
    {
        using var held = _data.Take();
        var refusal = Assert.Throws<ElasticException>(() => _data.Take().Dispose()).Message;
        Assert.Contains(_data.Root, refusal, StringComparison.Ordinal);
        Assert.Contains($"process {Environment.ProcessId}", refusal, StringComparison.Ordinal);
        Assert.Contains("--data-dir", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_that_was_given_back_can_be_taken_again()
    {
        _data.Take().Dispose();
        using var again = _data.Take();
        Assert.True(Directory.Exists(_data.Corpora));
    }

    [Fact]
    public void A_stale_process_id_of_a_killed_process_holds_nobody_up()
    {
        Directory.CreateDirectory(_data.Root);
        File.WriteAllText(Path.Combine(_data.Root, "elastic.pid"), "999999");
        File.WriteAllText(Path.Combine(_data.Root, "elastic.lock"), "");
        _data.Take().Dispose();
    }

    [Fact]
    public void A_directory_below_a_file_cannot_be_created_and_says_so()
    {
        var file = Path.GetTempFileName();
        var refusal = Assert.Throws<ElasticException>(() => new DataDirectory(Path.Combine(file, "data")).Take()).Message;
        Assert.Contains("cannot be created", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_is_not_there_names_those_that_are()
    {
        Assert.Contains("there are no runs at all", Assert.Throws<NotFoundException>(() => _data.ExistingRun(new RunId("a"))).Message, StringComparison.Ordinal);
        Directory.CreateDirectory(_data.Run(new RunId("books")).Root);
        Assert.Contains("there is books", Assert.Throws<NotFoundException>(() => _data.ExistingRun(new RunId("a"))).Message, StringComparison.Ordinal);
    }
}
