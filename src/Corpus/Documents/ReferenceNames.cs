using System.Globalization;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Turns the ids of documentation files ("M:System.Array.Resize``1(``0[]@,System.Int32)"; ECMA-334, annex D.4.2) into names for
/// people: "System.Array.Resize&lt;T&gt;(T[], Int32)".
/// </summary>
internal static class ReferenceNames
{
    // More type parameters than anybody declares; a file may claim any number, and each becomes a name.
    private const int MostParameters = 64;
    private const int LongestParameter = 256;

    /// <summary>The type that a member id belongs to, without prefix: "System.Array"; for the id of a type, the type itself.</summary>
    public static string TypeOf(string id)
    {
        var name = WithoutPrefix(id);
        if (id.StartsWith("T:", StringComparison.Ordinal))
            return name;
        var path = name[..EndOfPath(name)];
        var dot = path.LastIndexOf('.');
        return dot < 0 ? path : path[..dot];
    }

    /// <summary>The full name of a type or member.</summary>
    /// <param name="id">With or without its prefix.</param>
    /// <param name="typeParameters">Names of the type's parameters, in order; "T", "T1", … where there are too few.</param>
    /// <param name="methodParameters">Names of the method's parameters.</param>
    public static string Full(string id, IReadOnlyList<string> typeParameters, IReadOnlyList<string> methodParameters)
    {
        var name = WithoutPrefix(id);
        var end = EndOfPath(name);
        var text = new StringBuilder();
        AppendPath(text, name.AsSpan(0, end), typeParameters, methodParameters);
        if (end == name.Length)
            return text.Append(IsMethod(id) ? "()" : "").ToString();
        // Conversions differ only by their result.
        var tilde = name.IndexOf('~', StringComparison.Ordinal);
        AppendSignature(text, tilde < 0 ? name[end..] : name[end..tilde], typeParameters, methodParameters);
        if (tilde >= 0)
            AppendSignature(text.Append(" returning "), name[(tilde + 1)..], typeParameters, methodParameters);
        return text.ToString();
    }

    /// <summary>A reference inside a sentence: "String" for a type, "String.Join()" for a method.</summary>
    public static string Short(string id)
    {
        var name = WithoutPrefix(id);
        var path = name.AsSpan(0, EndOfPath(name));
        var lastDot = path.LastIndexOf('.');
        if (!id.StartsWith("T:", StringComparison.Ordinal) && !id.StartsWith("N:", StringComparison.Ordinal) && lastDot > 0)
            lastDot = path[..lastDot].LastIndexOf('.');
        if (id.StartsWith("N:", StringComparison.Ordinal))
            lastDot = -1;
        var text = new StringBuilder();
        AppendPath(text, path[(lastDot + 1)..], [], []);
        return text.Append(IsMethod(id) ? "()" : "").ToString();
    }

    private static bool IsMethod(string id) => id.StartsWith("M:", StringComparison.Ordinal);

    private static string WithoutPrefix(string id) => id.Length > 1 && id[1] == ':' ? id[2..] : id;

    // Where the parameters or the result of a conversion begin.
    private static int EndOfPath(string name) => name.AsSpan().IndexOfAny('(', '~') is var end and >= 0 ? end : name.Length;

    // "System.Array.Resize``1" -> "System.Array.Resize<T>"; "#ctor" is named like its type.
    private static void AppendPath(
        StringBuilder text, ReadOnlySpan<char> path, IReadOnlyList<string> typeParameters, IReadOnlyList<string> methodParameters)
    {
        var previous = "";
        var usedTypeParameters = 0;
        foreach (var range in path.Split('.'))
        {
            var part = path[range].ToString();
            if (text.Length > 0)
                text.Append('.');
            if (part is "#ctor" or "#cctor")
                part = previous;
            var tick = part.IndexOf('`', StringComparison.Ordinal);
            previous = tick < 0 ? part : part[..tick];
            // An explicit implementation of an interface writes its dots as '#'.
            text.Append(previous.Replace('#', '.'));
            if (tick < 0)
                continue;
            var ofMethod = part.AsSpan(tick).StartsWith("``");
            var first = ofMethod ? 0 : usedTypeParameters;
            if (!TryNumber(part.AsSpan(tick + (ofMethod ? 2 : 1)), out var count) || count > MostParameters - first)
                continue;
            usedTypeParameters += ofMethod ? 0 : count;
            var names = ofMethod ? methodParameters : typeParameters;
            text.Append('<').AppendJoin(", ", Enumerable.Range(first, count).Select(i => Parameter(names, i))).Append('>');
        }
    }

    // "(``0[]@,System.Int32)" -> "(T[], Int32)": type names lose their namespace.
    private static void AppendSignature(
        StringBuilder text, string signature, IReadOnlyList<string> typeParameters, IReadOnlyList<string> methodParameters)
    {
        for (var i = 0; i < signature.Length;)
        {
            var c = signature[i];
            if (c == '`')
            {
                var ofMethod = i + 1 < signature.Length && signature[i + 1] == '`';
                var start = i += ofMethod ? 2 : 1;
                while (i < signature.Length && char.IsAsciiDigit(signature[i]))
                    i++;
                if (TryNumber(signature.AsSpan(start, i - start), out var index))
                    text.Append(Parameter(ofMethod ? methodParameters : typeParameters, index));
            }
            else if (char.IsLetter(c) || c == '_')
            {
                var start = i;
                while (i < signature.Length && (char.IsLetterOrDigit(signature[i]) || signature[i] is '_' or '.'))
                    i++;
                text.Append(signature.AsSpan(start, i - start) is var name && name.LastIndexOf('.') is var dot and >= 0
                    ? name[(dot + 1)..]
                    : name);
            }
            else
            {
                text.Append(c switch { '{' => "<", '}' => ">", ',' => ", ", '@' => "", _ => c.ToString() });
                i++;
            }
        }
    }

    private static bool TryNumber(ReadOnlySpan<char> digits, out int number) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static string Parameter(IReadOnlyList<string> names, int index) =>
        index < names.Count && names[index].Length <= LongestParameter ? names[index] : index == 0 ? "T" : $"T{index}";
}
