using System.Xml;

namespace Elastic.Corpus;

/// <summary>The prose of one documentation element: references become names, lists and paragraphs become lines.</summary>
internal static class ReferenceText
{
    /// <summary>Reads the element on which the reader is positioned, up to its end.</summary>
    public static string Read(XmlReader xml)
    {
        // Joins hard-wrapped lines; an empty line in the file ends a line.
        var text = new FlowedText(newlinesPerLine: 2);
        if (!xml.IsEmptyElement)
            ReadContent(xml, text);
        return text.TakeWhole().TrimEnd();
    }

    private static void ReadContent(XmlReader xml, FlowedText text)
    {
        var depth = xml.Depth;
        var codeDepth = int.MaxValue;
        // A reference that contains words is read as those words.
        while (xml.Read() && !(xml.NodeType == XmlNodeType.EndElement && xml.Depth == depth))
            switch (xml.NodeType)
            {
                case XmlNodeType.Element:
                    if (xml.LocalName == "code" && !xml.IsEmptyElement)
                        codeDepth = Math.Min(codeDepth, xml.Depth);
                    Begin(xml, text);
                    break;
                case XmlNodeType.EndElement:
                    if (xml.Depth == codeDepth)
                        codeDepth = int.MaxValue;
                    End(xml.LocalName, text);
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA when xml.Depth > codeDepth:
                    text.AppendVerbatim(xml.Value.Trim('\n', '\r').ReplaceLineEndings("\n"));
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    text.Append(xml.Value);
                    break;
                default:
                    break;
            }
    }

    private static void Begin(XmlReader xml, FlowedText text)
    {
        switch (xml.LocalName)
        {
            case "see" or "seealso" or "paramref" or "typeparamref" or "xref" when xml.IsEmptyElement:
                text.Append(Reference(xml));
                break;
            case "para" or "p" or "br" or "code" or "list" or "ul" or "ol" or "listheader":
                text.EndLine();
                break;
            case "item" or "li":
                text.EndLine();
                text.Append("- ");
                break;
            case "description":
                text.Append(" ");
                break;
            default:
                break;
        }
    }

    private static void End(string element, FlowedText text)
    {
        switch (element)
        {
            case "para" or "p" or "code" or "list" or "ul" or "ol" or "listheader" or "item" or "li":
                text.EndLine();
                break;
            case "term":
                text.Append(": ");
                break;
            default:
                break;
        }
    }

    private static string Reference(XmlReader xml) =>
        xml.GetAttribute("langword") ?? xml.GetAttribute("name")
        ?? (xml.GetAttribute("cref") is { } cref ? ReferenceNames.Short(cref) : xml.GetAttribute("href") ?? xml.GetAttribute("uid") ?? "");
}
