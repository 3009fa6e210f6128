using System.Text;
using System.Text.Unicode;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Reads .html as a person would see it: no scripts, no styles, a line for each block.</summary>
internal static class HtmlFiles
{
    private static readonly HashSet<string> Hidden = ["script", "style", "noscript", "template", "head", "svg", "iframe", "object"];

    private static readonly HashSet<string> Blocks =
    [
        "address", "article", "aside", "blockquote", "body", "br", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary",
        "table", "tr", "ul",
    ];

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        using var page = TryParse(file, statistics);
        if (page is not null && TryText(page, file, statistics) is { } text)
            yield return new Document(file.Name, file.Name, text);
    }

    // The title, and the text below it. Null where the main text is asked for and there is none.
    private static string? TryText(IHtmlDocument page, SourceFile file, ReadStatistics statistics)
    {
        var (title, main) = (page.Title, (INode?)page.Body);
        if (file.Reading.MainText)
        {
            try
            {
                (title, main) = MainText.Of(page);
            }
            catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
            {
                statistics.CountMalformed(file, 0, $"the page has no main text: {e.Message}", file.Length);
                return null;
            }
        }
        var text = new FlowedText();
        if (!string.IsNullOrWhiteSpace(title))
        {
            text.Append(title);
            text.EndLine();
        }
        if (main is not null)
            Append(main, text, file.Reading.MainText);
        return text.TakeWhole();
    }

    /// <summary>The text of a node and all below it.</summary>
    /// <param name="withoutFurniture">Leaves out <see cref="MainText.Furniture"/>.</param>
    public static string TextOf(INode root, bool withoutFurniture)
    {
        var text = new FlowedText();
        Append(root, text, withoutFurniture);
        return text.TakeWhole();
    }

    // Whatever the parser throws at a page is a fault of that page; what stops the build is an ElasticException.
    private static IHtmlDocument? TryParse(SourceFile file, ReadStatistics statistics)
    {
        try
        {
            return Parse(file, statistics);
        }
        catch (Exception e) when (e is not (ElasticException or IOException or OutOfMemoryException or OperationCanceledException))
        {
            statistics.CountMalformed(file, 0, $"the HTML parser gives up: {e.Message}", file.Length);
            return null;
        }
    }

    // The parser looks for a byte order mark and for the encoding that the page declares. Where that is UTF-8 and the page has invalid
    // bytes, CountingUtf8 decodes the page, to count them.
    private static IHtmlDocument Parse(SourceFile file, ReadStatistics statistics)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        if (file.Length > ReadLimits.PageBytes)
            throw ReadLimits.Exceeded(file, $"is a page of more than {ReadLimits.PageBytes} bytes");
        using var stream = file.OpenRead();
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        var (content, length) = (bytes.GetBuffer(), (int)bytes.Length);
        if (UnmarkedUtf16.Of(content.AsSpan(0, length)) is { } encoding)
        {
            using var wide = CountingUtf8.Open(new MemoryStream(content, 0, length), file, statistics, encoding);
            content = Encoding.UTF8.GetBytes('\uFEFF' + wide.ReadToEnd());
            length = content.Length;
        }
        var page = new PageBounds(file, content, length, TimeProvider.System).Parse();
        if (!page.CharacterSet.Equals("utf-8", StringComparison.OrdinalIgnoreCase) || Utf8.IsValid(content.AsSpan(0, length)))
            return page;
        page.Dispose();
        using var text = CountingUtf8.Open(new MemoryStream(content, 0, length), file, statistics);
        var valid = Encoding.UTF8.GetBytes('\uFEFF' + text.ReadToEnd());
        return new PageBounds(file, valid, valid.Length, TimeProvider.System).Parse();
    }

    // Walks without recursion: a page may nest to any depth.
    private static void Append(INode root, FlowedText text, bool withoutFurniture)
    {
        var verbatim = 0;
        for (INode? node = root; node is not null;)
        {
            var isHidden = node is IElement { LocalName: var name }
                && (Hidden.Contains(name) || (withoutFurniture && MainText.Furniture.Contains(name)));
            Enter(node, text, ref verbatim);
            if (node.FirstChild is { } child && !isHidden)
            {
                node = child;
                continue;
            }
            while (node is not null && node != root && node.NextSibling is null)
            {
                Leave(node, text, ref verbatim);
                node = node.Parent;
            }
            if (node is null || node == root)
                return;
            Leave(node, text, ref verbatim);
            node = node.NextSibling;
        }
    }

    // Counts the elements around the node whose white space matters.
    private static void Enter(INode node, FlowedText text, ref int verbatim)
    {
        if (node is IText words)
        {
            if (verbatim == 0)
                text.Append(words.Data);
            else
                text.AppendVerbatim(words.Data.ReplaceLineEndings("\n"));
        }
        else if (node is IElement element)
        {
            verbatim += element.LocalName == "pre" ? 1 : 0;
            if (Blocks.Contains(element.LocalName))
                text.EndLine();
            else if (element.LocalName is "td" or "th")
                text.Append(" ");
        }
    }

    private static void Leave(INode node, FlowedText text, ref int verbatim)
    {
        if (node is not IElement element)
            return;
        verbatim -= element.LocalName == "pre" ? 1 : 0;
        if (Blocks.Contains(element.LocalName))
            text.EndLine();
    }
}
