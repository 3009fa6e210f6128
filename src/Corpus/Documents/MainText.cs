using System.Globalization;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using Elastic.Foundation;
using SmartReader;

namespace Elastic.Corpus;

/// <summary>
/// Finds the main text of a page: the smallest element that holds all that SmartReader keeps, which follows the reader mode of Firefox;
/// sections beside it that are marked alike; and at least a quarter of the page's text. What SmartReader keeps itself is made for reading
/// on a telephone and has lost tables and code.
/// </summary>
internal static class MainText
{
    /// <summary>How it is found; part of what names a corpus.</summary>
    public static string Finder { get; } = $"2, SmartReader {typeof(Reader).Assembly.GetName().Version}";

    /// <summary>Elements that are no main text even inside of it.</summary>
    public static IReadOnlySet<string> Furniture { get; } =
        new HashSet<string>(["nav", "aside", "footer", "form", "button", "select", "menu", "dialog"], StringComparer.Ordinal);

    // Links are made whole with it, and nobody reads them.
    private const string Nowhere = "https://page.invalid/";

    // A page of a book has that many elements; the finder looks at each of them some twenty times.
    private const int MostElements = 100_000;

    // Text of which a page has more than three times as much beside it is a part of its main text, or the page has none.
    private const int LeastPart = 4;

    // The finder's expressions over attributes of pictures, and over titles in <meta>, take time that grows with the square of an
    // attribute: 2 s for 16,000 characters, hours for a page of the largest size, which nothing interrupts. Addresses of pictures and
    // titles are shorter.
    private const int LongestAttribute = 1024;

    private const string Place = "data-elastic-place";

    private static readonly HashSet<string> Shortened = ["img", "picture", "figure", "source", "video", "audio", "meta"];

    /// <summary>The page's title and the element that holds its main text. The page is changed: the element is of a copy.</summary>
    /// <exception cref="ElasticException">There is none.</exception>
    public static (string Title, IElement Main) Of(IHtmlDocument page)
    {
        var elements = page.All.Take(MostElements + 1).ToList();
        if (elements.Count > MostElements)
            throw new ElasticException($"it has more than {MostElements} elements, and no main text is looked for among so many");
        foreach (var (place, element) in elements.Index())
            element.SetAttribute(Place, place.ToString(CultureInfo.InvariantCulture));
        var copy = ((IHtmlDocument)page.Clone(deep: true)).All.ToList();
        Shorten(elements);
        List<int> kept = [];
        using var reader = new Reader(Nowhere, page) { ContinueIfNotReadable = true, DisableJSONLD = true };
        reader.AddCustomOperationEnd(main => kept.AddRange(main.QuerySelectorAll($"[{Place}]").Select(PlaceOf)));
        var article = reader.GetArticle();
        if (kept.Count == 0)
            throw new ElasticException("nothing in it looks like text");
        var main = WithThoseAlike(Large(Around(copy[kept.Min()], copy[kept.Max()])));
        return main.QuerySelectorAll("a[href]").Sum(LengthOf) * 2 <= LengthOf(main) ? (article.Title ?? "", main)
            : throw new ElasticException("most of it is links");
    }

    // Of src, which may be a whole image (RFC 2397), the finder looks at the beginning alone.
    private static void Shorten(IEnumerable<IElement> elements)
    {
        foreach (var element in elements.Where(e => Shortened.Contains(e.LocalName)))
            foreach (var attribute in element.Attributes.Where(a => a.Value.Length > LongestAttribute && a.Name != "src").ToList())
                attribute.Value = attribute.Value[..LongestAttribute];
    }

    private static int PlaceOf(IElement element) => int.Parse(element.GetAttribute(Place)!, CultureInfo.InvariantCulture);

    // Elements are numbered as they begin: whatever holds the first and the last of some holds all of them.
    private static IElement Around(IElement first, IElement last)
    {
        var around = first;
        while (!around.Contains(last))
            around = around.ParentElement!;
        return around;
    }

    private static IElement Large(IElement element)
    {
        long whole = LengthOf(element.Owner!.Body!), part = LengthOf(element);
        while (part * LeastPart < whole && element.ParentElement is { } parent)
        {
            part += parent.ChildNodes.Where(node => node != element).Sum(LengthOf);
            element = parent;
        }
        return element;
    }

    private static long LengthOf(INode node) => HtmlFiles.TextOf(node, withoutFurniture: true).TrimEnd().Length;

    // Of sections side by side SmartReader may choose one: a chapter is all of them.
    private static IElement WithThoseAlike(IElement element)
    {
        while (element.ParentElement is { } parent && parent.Children.Any(other => other != element && IsAlike(element, other)))
            element = parent;
        return element;
    }

    private static bool IsAlike(IElement a, IElement b) => a.LocalName == b.LocalName && a.ClassName == b.ClassName
        && (a.LocalName is "section" or "article" || (a.LocalName is "div" && !string.IsNullOrEmpty(a.ClassName)));
}
