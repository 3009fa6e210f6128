namespace Elastic.Corpus;

/// <summary>
/// Reads programs as plain text, with their language by the ending of the file's name, and with the licence that they name in their head
/// (SPDX) or that the nearest file LICENSE above has.
/// </summary>
internal static class SourceCode
{
    private static readonly (string Ending, string Language)[] Known =
    [
        (".c", "C"), (".h", "C"), (".cc", "C++"), (".cpp", "C++"), (".cxx", "C++"), (".hpp", "C++"), (".cs", "C#"), (".clj", "Clojure"),
        (".css", "CSS"), (".cu", "CUDA"), (".dart", "Dart"), (".el", "Emacs Lisp"), (".ex", "Elixir"), (".exs", "Elixir"),
        (".erl", "Erlang"), (".f90", "Fortran"), (".fs", "F#"), (".go", "Go"), (".groovy", "Groovy"), (".hs", "Haskell"),
        (".java", "Java"), (".jl", "Julia"), (".js", "JavaScript"), (".mjs", "JavaScript"), (".jsx", "JavaScript"), (".kt", "Kotlin"),
        (".lisp", "Common Lisp"), (".lua", "Lua"), (".ml", "OCaml"), (".nim", "Nim"), (".pas", "Pascal"), (".php", "PHP"),
        (".pl", "Perl"), (".pm", "Perl"), (".proto", "Protocol Buffers"), (".ps1", "PowerShell"), (".py", "Python"), (".r", "R"),
        (".rb", "Ruby"), (".rs", "Rust"), (".scala", "Scala"), (".scm", "Scheme"), (".sh", "Shell"), (".sql", "SQL"), (".swift", "Swift"),
        (".tcl", "Tcl"), (".tex", "TeX"), (".ts", "TypeScript"), (".tsx", "TypeScript"), (".vb", "Visual Basic"), (".vim", "Vim script"),
        (".zig", "Zig"),
    ];

    private static readonly Dictionary<string, string> Languages =
        Known.ToDictionary(k => k.Ending, k => k.Language, StringComparer.OrdinalIgnoreCase);

    /// <summary>The endings of programs.</summary>
    public static IReadOnlyList<string> Endings { get; } = [.. Known.Select(k => k.Ending)];

    public static IEnumerable<Document> Read(SourceFile file, ReadStatistics statistics)
    {
        var code = Languages.GetValueOrDefault(Path.GetExtension(Packings.Of(file.Name).Inner));
        string? licence = null;
        foreach (var (number, document) in PlainText.Read(file, statistics).Index())
        {
            if (number == 0)
                licence = LicenceText.MarkIn(document.Text) ?? file.Licence;
            yield return document with { Code = code, Licence = licence };
        }
    }
}
