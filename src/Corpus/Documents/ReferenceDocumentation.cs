using System.Text;
using System.Xml;

namespace Elastic.Corpus;

/// <summary>
/// Reads the documentation files of the C# compiler as reference pages: one document for each type, with its members below it. A type
/// whose members are not consecutive gives a document for each stretch.
/// </summary>
internal static class ReferenceDocumentation
{
    /// <param name="file">The file, whose name the documents get.</param>
    /// <param name="xml">Positioned on the first element below the root.</param>
    /// <param name="guard">Ends the reading at a malformed place.</param>
    public static IEnumerable<Document> Read(SourceFile file, XmlReader xml, MalformedXml guard)
    {
        var page = new StringBuilder();
        string? type = null;
        IReadOnlyList<string> typeParameters = [];
        while (guard.Try(() => ReadMember(xml)) is { } member)
        {
            var owner = ReferenceNames.TypeOf(member.Id);
            if (owner != type)
            {
                if (page.Length > 0)
                    yield return new Document(file.Name, $"{file.Name}#{type}", page.ToString());
                page.Clear();
                (type, typeParameters) = (owner, []);
            }
            if (member.Id.StartsWith("T:", StringComparison.Ordinal))
                typeParameters = member.TypeParameters;
            if (member.Body.Length == 0)
                continue;
            if (page.Length > 0)
                page.Append('\n');
            page.Append(ReferenceNames.Full(member.Id, typeParameters, member.TypeParameters)).Append('\n').Append(member.Body);
            guard.CheckLength(page.Length);
        }
        if (page.Length > 0)
            yield return new Document(file.Name, $"{file.Name}#{type}", page.ToString());
    }

    // Returns null at the end of the file.
    private static Member? ReadMember(XmlReader xml)
    {
        while (xml.Read())
            if (xml.NodeType == XmlNodeType.Element && xml.LocalName == "member" && xml.GetAttribute("name") is { Length: > 0 } id)
                return ReadBody(xml, id);
        return null;
    }

    private static Member ReadBody(XmlReader xml, string id)
    {
        var sections = new Sections();
        if (!xml.IsEmptyElement)
            while (xml.Read() && xml.NodeType != XmlNodeType.EndElement)
                if (xml.NodeType == XmlNodeType.Element)
                    sections.Add(xml.LocalName, xml.GetAttribute("name") ?? xml.GetAttribute("cref"), ReferenceText.Read(xml));
        return new Member(id, sections.ToString(), sections.TypeParameters);
    }

    private sealed record Member(string Id, string Body, IReadOnlyList<string> TypeParameters);

    // The parts of a member in the order of a reference page, whatever their order in the file.
    private sealed class Sections
    {
        private readonly List<string> _summary = [];
        private readonly List<string> _typeParameters = [];
        private readonly List<string> _parameters = [];
        private readonly List<string> _returns = [];
        private readonly List<string> _exceptions = [];
        private readonly List<string> _rest = [];

        public List<string> TypeParameters { get; } = [];

        public void Add(string element, string? name, string text)
        {
            if (element == "typeparam" && name is not null)
                TypeParameters.Add(name);
            if (text.Length == 0)
                return;
            switch (element)
            {
                case "summary": _summary.Add(text); break;
                case "typeparam": _typeParameters.Add($"  {name}: {text}"); break;
                case "param": _parameters.Add($"  {name}: {text}"); break;
                case "returns": _returns.Add($"Returns: {text}"); break;
                case "value": _returns.Add($"Value: {text}"); break;
                case "exception": _exceptions.Add($"  {(name is null ? "Exception" : ReferenceNames.Short(name))}: {text}"); break;
                case "remarks" or "example": _rest.Add(text); break;
                default: break;   // seealso, inheritdoc, permission and the like hold no prose
            }
        }

        public override string ToString()
        {
            var page = new StringBuilder();
            AppendLines(page, null, _summary);
            AppendLines(page, "Type parameters:", _typeParameters);
            AppendLines(page, "Parameters:", _parameters);
            AppendLines(page, null, _returns);
            AppendLines(page, "Exceptions:", _exceptions);
            AppendLines(page, null, _rest);
            return page.ToString();
        }

        private static void AppendLines(StringBuilder page, string? heading, List<string> lines)
        {
            if (heading is not null && lines.Count > 0)
                page.Append(heading).Append('\n');
            foreach (var line in lines)
                page.Append(line).Append('\n');
        }
    }
}
