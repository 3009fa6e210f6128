using System.Xml.Linq;

namespace Elastic.Structure.Tests;

/// <summary>What a project says that it uses.</summary>
/// <param name="Path">Below the root, with forward slashes: "src/Host/Host.csproj".</param>
internal sealed record ProjectFile(string Path)
{
    /// <summary>Paths below the root of the projects that it references.</summary>
    public required IReadOnlyList<string> References { get; init; }

    public required IReadOnlyList<string> Packages { get; init; }

    /// <summary>Shared frameworks, such as ASP.NET Core.</summary>
    public required IReadOnlyList<string> Frameworks { get; init; }

    /// <summary>Files outside of its folder that it compiles, and assemblies that it references by their path.</summary>
    public required IReadOnlyList<string> Foreign { get; init; }

    /// <summary>"src", "tests" or "bench".</summary>
    public string Area => Path.Split('/')[0];

    /// <summary>The folder's name.</summary>
    public string Name => Path.Split('/')[1];

    public static ProjectFile Parse(string path, string text)
    {
        var xml = XDocument.Parse(text);
        return new ProjectFile(path)
        {
            References = [.. Named("ProjectReference").Select(include => Resolve(path, include))],
            Packages = [.. Named("PackageReference")],
            Frameworks = [.. Named("FrameworkReference")],
            Foreign = [.. Named("Compile").Where(i => i.StartsWith("..", StringComparison.Ordinal)), .. Named("Reference")],
        };

        IEnumerable<string> Named(string item) => xml.Descendants(item).Attributes("Include").SelectMany(a => a.Value.Split(';'));
    }

    // "../Model/Model.csproj", seen from src/Actors, is src/Model/Model.csproj.
    private static string Resolve(string path, string include)
    {
        var folders = new Stack<string>(path.Split('/').SkipLast(1));
        foreach (var step in include.Replace('\\', '/').Split('/'))
            if (step == "..")
                folders.Pop();
            else
                folders.Push(step);
        return string.Join('/', folders.Reverse());
    }
}
