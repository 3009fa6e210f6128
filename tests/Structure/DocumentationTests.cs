using System.Text.RegularExpressions;

namespace Elastic.Structure.Tests;

public partial class DocumentationTests
{
    private const string Index = "docs/README.md";

    private static IReadOnlyList<string> Pages => Repository.Files(["docs", "deploy", "bench"], ".md");

    [Fact]
    public void Every_page_of_the_documentation_is_in_its_index_and_the_readme_links_that()
    {
        var linked = Links(Index).Select(l => l.File).ToHashSet();
        Violations.None(Repository.Files(["docs"], ".md")
            .Where(page => page != Index && !linked.Contains(page) && Path.GetDirectoryName(page) == "docs")
            .Select(page => $"{Index} does not link {page}"));
        Assert.Contains(Index, Links("README.md").Select(l => l.File));
    }

    [Fact]
    public void Every_link_between_pages_leads_to_a_page_and_a_heading_that_are_there() =>
        Violations.None(Pages.Append("README.md").SelectMany(page => Links(page).Select(link => (page, link))).SelectMany(both =>
        {
            var ((page, (file, heading)), path) = (both, Path.Combine(Repository.Root, both.link.File));
            if (!File.Exists(path) && !Directory.Exists(path))
                return [$"{page} links {file}, which is not there"];
            return heading.Length == 0 || HeadingsOf(file).Contains(heading)
                ? Array.Empty<string>() : [$"{page} links {file}#{heading}, and {file} has no such heading"];
        }));

    [Fact]
    public void A_link_that_leads_nowhere_is_found()
    {
        Assert.Equal([("docs/a.md", "b-c")], LinksIn("docs/x.md", "[t](a.md#b-c) and [u](https://example.org/d.md)"));
        Assert.Equal([("README.md", ""), ("docs/x.md", "y")], LinksIn("docs/x.md", "[t](../README.md), [u](#y)"));
        Assert.Equal("a-b-cd---e", AnchorOf("A b: `c/d` - E?"));
    }

    private static IEnumerable<(string File, string Heading)> Links(string page) => LinksIn(page, Repository.Read(page));

    // Paths below the root; those to other machines are not followed.
    private static IEnumerable<(string File, string Heading)> LinksIn(string page, string text)
    {
        var folder = Path.Combine(Repository.Root, Path.GetDirectoryName(page)!);
        foreach (var to in Link().Matches(Code().Replace(text, "")).Select(m => m.Groups["to"].Value))
        {
            var (file, heading) = to.Split('#', 2) is [var before, var after] ? (before, after) : (to, "");
            if (!to.Contains("://", StringComparison.Ordinal))
                yield return (file.Length == 0 ? page : BelowRoot(Path.Combine(folder, file)), heading);
        }
    }

    private static string BelowRoot(string path) => Path.GetRelativePath(Repository.Root, Path.GetFullPath(path));

    private static HashSet<string> HeadingsOf(string page) =>
        [.. Headings().Matches(Code().Replace(Repository.Read(page), "")).Select(m => AnchorOf(m.Groups["it"].Value))];

    // As GitHub makes it: lower case, letters, digits, hyphens and underscores; a blank is a hyphen.
    private static string AnchorOf(string heading) =>
        string.Concat(heading.ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');

    [GeneratedRegex(@"\[[^\]\n]*\]\((?<to>[^()\s]+)\)", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (?<it>.*)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 10_000)]
    private static partial Regex Headings();

    // Blocks of code, in which # begins a comment.
    [GeneratedRegex("^```.*?^```", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.Singleline, 10_000)]
    private static partial Regex Code();
}
