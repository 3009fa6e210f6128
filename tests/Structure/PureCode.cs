using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Elastic.Structure.Tests;

/// <summary>Compiles statements as src/Coordination is compiled: with its list of banned symbols and the analyzer that reads it.</summary>
internal static class PureCode
{
    private const string List = "BannedSymbols.txt";

    private static readonly DiagnosticAnalyzer Analyzer = LoadAnalyzer();

    private static readonly MetadataReference[] Framework =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>The list, a line each: the symbol and what to use instead.</summary>
    public static IReadOnlyList<(string Symbol, string Instead)> Banned { get; } =
    [
        .. Repository.Read("src", "Coordination", List).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(line => line.Split(';', 2, StringSplitOptions.TrimEntries))
            .Select(parts => (parts[0], parts.ElementAtOrDefault(1) ?? "")),
    ];

    /// <summary>True when the framework has what an entry of the list names.</summary>
    public static bool Exists(string symbol) => DocumentationCommentId.GetFirstSymbolForDeclarationId(symbol, Compile("")) is not null;

    /// <summary>What the analyzer says of these statements.</summary>
    public static async Task<IReadOnlyList<string>> RefusalsAsync(string statements)
    {
        var compilation = Compile(statements);
        if (compilation.GetDiagnostics().FirstOrDefault(d => d.Severity == DiagnosticSeverity.Error) is { } error)
            Assert.Fail($"the statements are no C#, banned or not: {error}");
        var options = new AnalyzerOptions([new BannedList()]);
        var diagnostics = await compilation.WithAnalyzers([Analyzer], options)
            .GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);
        return [.. diagnostics.Select(d => $"{d.Id}: {d.GetMessage()}")];
    }

    private static CSharpCompilation Compile(string statements)
    {
        var text = $$"""
            using System; using System.IO; using System.Diagnostics; using System.Net.Http; using System.Net.Sockets;
            using System.Threading; using System.Threading.Tasks;
            static class Code { static void Run(object now) { {{statements}} } }
            """;
        return CSharpCompilation.Create(
            "Pure", [CSharpSyntaxTree.ParseText(text)], Framework, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
    }

    // By name: the assemblies have editors' code fixes, too, which cannot be loaded here.
    private static DiagnosticAnalyzer LoadAnalyzer()
    {
        string File(string name) => Path.Combine(AppContext.BaseDirectory, "analyzers", name);
        Assembly.LoadFrom(File("Microsoft.CodeAnalysis.BannedApiAnalyzers.dll"));
        var type = Assembly.LoadFrom(File("Microsoft.CodeAnalysis.CSharp.BannedApiAnalyzers.dll"))
            .GetType("Microsoft.CodeAnalysis.CSharp.BannedApiAnalyzers.CSharpSymbolIsBannedAnalyzer", throwOnError: true)!;
        return (DiagnosticAnalyzer)Activator.CreateInstance(type)!;
    }

    private sealed class BannedList : AdditionalText
    {
        public override string Path => List;

        public override SourceText GetText(CancellationToken cancellationToken = default) =>
            SourceText.From(Repository.Read("src", "Coordination", List));
    }
}
