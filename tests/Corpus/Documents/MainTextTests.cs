using System.Text;

namespace Elastic.Corpus.Tests.Documents;

public sealed class MainTextTests : IDisposable
{
    private const string Page = """
        <html><head><title>The harbour in the morning</title></head><body>
        <nav><ul><li><a href="/">Home</a></li><li><a href="/news">News</a></li><li><a href="/about">About us</a></li></ul></nav>
        <aside class="sidebar"><p>Subscribe to our letter and never miss a story.</p><a href="/s">Subscribe</a></aside>
        <article><h1>The harbour in the morning</h1>
        <p>Every morning the fishermen leave the harbour early, long before the sun is up, and nobody but the baker sees them go.</p>
        <p>They come back at noon, when the market is about to close, with what the sea has given them, which is less from year to year.</p>
        <ul><li>Herring, mackerel and cod are sold at the quay itself, in wooden boxes.</li></ul>
        <p>In the afternoon the nets are mended, and in the evening the boats are made ready for the next day, as they always were.</p>
        </article>
        <footer><p>Copyright 2024 by the town. <a href="/imprint">Imprint</a></p></footer></body></html>
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Menus_side_bars_and_footers_go_and_title_paragraphs_and_lists_stay()
    {
        var (text, statistics) = Read(Page, mainText: true);
        Assert.Equal(0, statistics.MalformedRecords);
        var lines = text!.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("The harbour in the morning", lines[0]);
        Assert.Contains("Herring, mackerel and cod are sold at the quay itself, in wooden boxes.", lines);
        Assert.Contains(lines, line => line.StartsWith("Every morning", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.EndsWith("as they always were.", StringComparison.Ordinal));
        foreach (var furniture in new[] { "About us", "Subscribe", "Copyright", "Imprint" })
        {
            Assert.DoesNotContain(furniture, text, StringComparison.Ordinal);
            Assert.Contains(furniture, Read(Page, mainText: false).Text!, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("<html><body></body></html>", "nothing in it looks like text")]
    [InlineData("<p>The chapters are: <a href='a'>The first one</a> and <a href='b'>the second.</a></p>", "most of it is links")]
    public void A_page_without_main_text_is_named_and_counted(string html, string why)
    {
        var (text, statistics) = Read(html, mainText: true);
        Assert.Null(text);
        Assert.Equal($"a.html the page has no main text: {why}", Assert.Single(statistics.Malformed).ToString());
        Assert.Equal(html.Length, statistics.LostBytes);
    }

    // Without a bound on attributes this takes a minute.
    [Fact]
    public void Pictures_that_are_made_to_take_hours_take_no_time_and_the_text_beside_them_stays()
    {
        var pictures = $"<img src='a.png' srcset='{new string('a', 80_000)} b'><figure data-a='"
            + string.Concat(Enumerable.Repeat(".jpg", 20_000)) + " x y'></figure>";
        var (text, statistics) = Read(Page.Replace("<p>They", pictures + "<p>They", StringComparison.Ordinal), mainText: true);
        Assert.Equal(0, statistics.MalformedRecords);
        Assert.Equal(Read(Page, mainText: true).Text, text);
    }

    // Without a bound on attributes this takes minutes.
    [Fact]
    public void A_title_that_is_made_to_take_hours_takes_no_time()
    {
        var meta = $"<meta property='og:site_name' content='b'><meta property='og:title' content='-{new string('a', 100_000)}'>";
        var (text, statistics) = Read(Page.Replace("<head>", "<head>" + meta, StringComparison.Ordinal), mainText: true);
        Assert.Equal(0, statistics.MalformedRecords);
        Assert.Contains("as they always were.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_of_a_page_may_be_links_and_a_character_more_may_not()
    {
        string Links(int characters) => $"<p>01234567 <a href='a'>{new string('x', characters)}</a></p>";
        Assert.NotNull(Read(Links(9), mainText: true).Text);
        Assert.Null(Read(Links(10), mainText: true).Text);
    }

    [Fact]
    public void Sections_beside_the_one_that_is_found_belong_to_it()
    {
        var sections = string.Concat(Enumerable.Range(0, 3).Select(i =>
            $"<div class='section'><h2>Section {i}</h2>" + (i == 1 ? Page[Page.IndexOf("<p>Every", StringComparison.Ordinal)..Page.IndexOf(
                "</article>", StringComparison.Ordinal)] : $"<pre>code of section {i}</pre>") + "</div>"));
        var text = Read(
            $"<body><div class='menu'><a href='x'>menu</a></div><div class='chapter'>{sections}</div></body>", mainText: true).Text!;
        Assert.Contains("code of section 0", text, StringComparison.Ordinal);
        Assert.Contains("code of section 2", text, StringComparison.Ordinal);
        Assert.DoesNotContain("menu", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_of_too_many_elements_is_named_before_anybody_searches_it()
    {
        var (text, statistics) = Read(string.Concat(Enumerable.Repeat("<p>", 100_001)), mainText: true);
        Assert.Null(text);
        Assert.Contains("it has more than 100000 elements", Assert.Single(statistics.Malformed).ToString(), StringComparison.Ordinal);
    }

    // What nests deeper than the parser follows is refused before main text is looked for: DocumentFaultsTests.
    [Fact]
    public void The_main_text_may_lie_deep() => Assert.Contains("as they always were.",
        Read(Page.Replace("<article>", string.Concat(Enumerable.Repeat("<div>", 400)) + "<article>", StringComparison.Ordinal),
            mainText: true).Text!, StringComparison.Ordinal);

    [Fact]
    public void Whether_the_main_text_is_read_names_the_piece()
    {
        Assert.Empty(CorpusIdentity.OfFile(File(Page, mainText: false)).Reading);
        Assert.Equal(["main text by 2, SmartReader 0.11.1.0"], CorpusIdentity.OfFile(File(Page, mainText: true)).Reading);
    }

    private SourceFile File(string html, bool mainText) =>
        new(_folder.Write("a.html", Encoding.UTF8.GetBytes(html)), "a.html", DocumentFormat.Html)
        {
            Reading = Reading.Default with { MainText = mainText },
        };

    private (string? Text, ReadStatistics Statistics) Read(string html, bool mainText)
    {
        var statistics = new ReadStatistics();
        return (DocumentReader.Read(File(html, mainText), statistics).SingleOrDefault()?.Text, statistics);
    }
}
