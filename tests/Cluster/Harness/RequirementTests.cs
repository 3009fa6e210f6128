using Elastic.Testing;
using Xunit.Sdk;

namespace Elastic.Cluster.Tests;

/// <summary>What a test needs: where it is looked for, and what happens where it is missing.</summary>
public sealed class RequirementTests : TemporaryFolder
{
    [Fact]
    public void What_is_there_is_no_reason_to_skip() => Requirement.Need(there: true, "needs nothing", all: true);

    [Fact]
    public void A_test_that_lacks_something_is_skipped_with_a_sentence_that_says_how_to_get_it()
    {
        // By hand: Assert.Throws would let it skip this test.
        var said = "";
        try
        {
            Requirement.Need(there: false, "needs PostgreSQL: apt-get install postgresql", all: false);
        }
        catch (SkipException e)
        {
            said = e.Message;
        }

        Assert.EndsWith("this test needs PostgreSQL: apt-get install postgresql", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_everything_has_to_be_there_it_fails()
    {
        var failed = Assert.Throws<FailException>(() =>
            Requirement.Need(there: false, "needs PostgreSQL: apt-get install postgresql", all: true));
        Assert.Contains("apt-get install postgresql", failed.Message, StringComparison.Ordinal);
        Assert.Contains(Requirement.Variable, failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_newest_PostgreSQL_of_Debian_is_taken_by_its_number()
    {
        Have("debian/9/bin/initdb", "debian/15/bin/initdb", "debian/16/bin/psql", "path/initdb");
        Assert.Equal(Path.Combine(Folder, "debian", "15", "bin"), Find("path"));
    }

    [Fact]
    public void Without_Debian_s_that_of_the_search_path_is_taken_and_without_that_there_is_none()
    {
        Have("path/initdb", "other/psql");
        Assert.Equal(Path.Combine(Folder, "path"), Find("nowhere", "other", "path"));
        Assert.Null(Find("nowhere", "other"));
    }

    [Fact]
    public void The_first_program_that_is_there_is_taken_wherever_it_is()
    {
        Have("a/gcc", "b/cc");
        Assert.Equal(Path.Combine(Folder, "b", "cc"), Programs.Find([Path.Combine(Folder, "a"), Path.Combine(Folder, "b")], "cc", "gcc"));
        Assert.Equal(Path.Combine(Folder, "a", "gcc"), Programs.Find([Path.Combine(Folder, "a")], "cc", "gcc"));
        Assert.Null(Programs.Find([Path.Combine(Folder, "a")], "clang"));
    }

    private string? Find(params string[] searchPath) =>
        PostgresInstance.FindPrograms(Path.Combine(Folder, "debian"), searchPath.Select(f => Path.Combine(Folder, f)));

    private void Have(params string[] files)
    {
        foreach (var file in files.Select(f => Path.Combine([Folder, .. f.Split('/')])))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "");
        }
    }
}
