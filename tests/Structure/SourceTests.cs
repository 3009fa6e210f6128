namespace Elastic.Structure.Tests;

public class SourceTests
{
    private static readonly string[] Code = ["src", "tests", "bench"];
    private static readonly string[] Texts =
        [".cs", ".csproj", ".props", ".targets", ".sln", ".md", ".conf", ".sh", ".py", ".c", ".cu", ".yml", ".yaml", "/run"];

    [Fact]
    public void No_file_of_code_is_longer_than_one_idea() =>
        Violations.None(Repository.Files(Code, ".cs").SelectMany(f => SourceRules.TooLong(f, Repository.Read(f))));

    [Fact]
    public void No_line_of_code_is_wider_than_half_a_screen() =>
        Violations.None(Repository.Files(Code, ".cs").SelectMany(f => SourceRules.TooWide(f, Repository.Read(f))));

    [Fact]
    public void No_text_names_a_path_of_the_machine_that_it_was_written_on() =>
        Violations.None(Repository.Files([""], Texts).SelectMany(f => SourceRules.MachinePaths(f, Repository.Read(f))));

    [Fact]
    public void No_expression_over_text_from_elsewhere_takes_more_time_than_in_proportion_to_it()
    {
        string[] places = ["src/Corpus/Build", "src/Corpus/Documents", "src/Corpus/Languages", "src/Corpus/Metrics"];
        Violations.None(Repository.Files(places, ".cs").SelectMany(f => SourceRules.Backtracking(f, Repository.Read(f))));
        Assert.Single(SourceRules.Backtracking("a.cs", "[GeneratedRegex(\"a\", RegexOptions.CultureInvariant)]"));
        Assert.Single(SourceRules.Backtracking("a.cs", "Regex A = new(\"a\", RegexOptions.NonBacktracking, matchTimeout)"));
        Assert.Empty(SourceRules.Backtracking("a.cs", "[GeneratedRegex(\"a\", RegexOptions.NonBacktracking)]"));
        // One that is safe says nothing of the one beside it.
        const string Shared = "const RegexOptions Options = RegexOptions.NonBacktracking; Regex A = new(\"a\", Options);";
        Assert.Empty(SourceRules.Backtracking("a.cs", Shared + " Regex B = new(\"b\", Options);"));
        Assert.Single(SourceRules.Backtracking("a.cs", Shared + " Regex B = new(\"b\");"));
        Assert.Single(SourceRules.Backtracking("a.cs", "Regex A = new(\"a\", RegexOptions.NonBacktracking); Regex B = new(\"b\");"));
    }

    [Fact]
    public void These_tests_see_the_files()
    {
        Assert.InRange(Repository.Files(Code, ".cs").Count, 300, int.MaxValue);
        Assert.Contains(".ci/run", Repository.Files([""], Texts));
        Assert.DoesNotContain(Repository.Files([""], Texts), f => f.Contains("/obj/", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_with_too_many_lines_is_found()
    {
        string Text(int lines) => string.Concat(Enumerable.Repeat("x\n", lines));
        Assert.Empty(SourceRules.TooLong("a.cs", Text(SourceRules.Lines)));
        Assert.StartsWith(
            "a.cs has 401 lines", Assert.Single(SourceRules.TooLong("a.cs", Text(SourceRules.Lines + 1))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_with_too_many_columns_is_found_with_its_number()
    {
        string Text(int columns) => $"x\r\n{new string('x', columns)}\r\n";
        Assert.Empty(SourceRules.TooWide("a.cs", Text(SourceRules.Columns)));
        var violation = Assert.Single(SourceRules.TooWide("a.cs", Text(SourceRules.Columns + 1)));
        Assert.StartsWith("a.cs:2 has 141 columns", violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("home/anna/elastic", true)]
    [InlineData("root/elastic", true)]
    [InlineData("Users/anna", true)]
    [InlineData("work/elastic", true)]
    [InlineData("usr/lib/postgresql", false)]
    [InlineData("tmp/a", false)]
    [InlineData("var/lib/elastic", false)]
    public void A_path_of_one_machine_is_found(string path, bool found)
    {
        Assert.Equal(found ? 1 : 0, SourceRules.MachinePaths("a.md", $"see \"/{path}\".").Count());
        Assert.Empty(SourceRules.MachinePaths("a.md", $"https://example.org/{path}"));
    }
}
