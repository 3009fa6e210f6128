namespace Elastic.Structure.Tests;

/// <summary>Which project may use what. Each answer is a sentence that says what is wrong and where it belongs.</summary>
internal static class Rooms
{
    /// <summary>The projects of src. Each may reference those before it, never those after it.</summary>
    public static readonly string[] Order =
    [
        "Foundation", "Messages", "Kernels", "Model", "Torch", "ObjectStore", "Corpus", "Coordination", "Storage", "Transfer",
        "Simulation", "Actors", "Host", "Pbm",
    ];

    private static readonly string[] Akka = ["Akka"];
    private static readonly string[] Torch = ["TorchSharp", "libtorch"];
    private static readonly string[] Databases = ["Microsoft.Data.", "Npgsql", "SQLitePCL", "linq2db"];
    private static readonly string[] Networks = ["Microsoft.AspNetCore", "Grpc", "System.Net."];

    // Beginnings of the names of packages and frameworks that must not reach a project, neither by itself nor through what it references.
    private static readonly Dictionary<string, string[]> Forbidden = new()
    {
        ["Foundation"] = [.. Akka, .. Torch, .. Databases, .. Networks],
        ["Messages"] = [.. Akka, .. Torch, .. Databases, .. Networks],
        ["Kernels"] = [.. Akka, .. Torch, .. Databases, .. Networks],
        ["Model"] = [.. Akka, .. Torch, .. Databases, .. Networks],
        ["Torch"] = [.. Akka, .. Databases, .. Networks],
        ["ObjectStore"] = [.. Akka, .. Torch, .. Databases, "Microsoft.AspNetCore"],
        ["Corpus"] = [.. Akka, .. Torch, .. Databases],
        ["Coordination"] = [.. Akka, .. Torch, .. Databases, .. Networks],
        ["Storage"] = [.. Akka, .. Torch],
        ["Transfer"] = [.. Akka, .. Torch],
        ["Simulation"] = [.. Akka, .. Torch],
        ["Actors"] = Torch,
        ["Pbm"] = [.. Akka, .. Torch, .. Databases],
    };

    /// <summary>Everything that is wrong with these projects.</summary>
    public static IReadOnlyList<string> Violations(IReadOnlyList<ProjectFile> projects)
    {
        var byPath = projects.ToDictionary(p => p.Path);
        return [.. projects.SelectMany(p => Misplaced(p, byPath).Concat(Forbid(p, byPath)))];
    }

    /// <summary>Projects that the solution does not list.</summary>
    public static IReadOnlyList<string> Missing(IReadOnlyList<ProjectFile> projects, string solution) =>
    [
        .. projects.Where(p => !solution.Replace('\\', '/').Contains($"\"{p.Path}\"", StringComparison.Ordinal))
            .Select(p => $"{p.Path} is not in Elastic.sln: dotnet sln add {p.Path}"),
    ];

    private static IEnumerable<string> Misplaced(ProjectFile project, Dictionary<string, ProjectFile> all)
    {
        foreach (var path in project.References.Where(r => !all.ContainsKey(r)))
            yield return $"{project.Path} references {path}, which is not there";
        foreach (var used in project.References.Where(all.ContainsKey).Select(r => all[r]))
            if (Misplaced(project, used) is { } why)
                yield return $"{project.Path} references {used.Path}: {why}";
        if (project.Area != "src")
            yield break;
        if (!Order.Contains(project.Name))
            yield return $"{project.Path} has no place in the order of the projects: " +
                $"say in {nameof(Rooms)}.{nameof(Order)} which ones it may use";
        foreach (var file in project.Foreign)
            yield return $"{project.Path} takes in {file} by its path: reference the project that it belongs to";
    }

    private static string? Misplaced(ProjectFile project, ProjectFile used) => (project.Area, used.Area) switch
    {
        ("src", not "src") => "what is shipped uses nothing of tests and bench",
        ("bench", "tests") when used.Name != "Testing" => "of the tests, benchmarks use Testing only",
        ("src", "src") when project.Name == "Pbm" && used.Name is not ("Foundation" or "Messages" or "ObjectStore") =>
            "pbm knows the protocol, stores for what it fetches, and nothing of Elastic besides",
        ("src", "src") when Place(used) >= Place(project) =>
            $"{used.Name} does not stand before {project.Name} in the order of the projects",
        _ => null,
    };

    private static int Place(ProjectFile project) => Array.IndexOf(Order, project.Name);

    private static IEnumerable<string> Forbid(ProjectFile project, Dictionary<string, ProjectFile> all)
    {
        if (project.Area != "src" || !Forbidden.TryGetValue(project.Name, out var forbidden))
            yield break;
        foreach (var by in Reached(project, all))
            foreach (var name in by.Packages.Concat(by.Frameworks).Where(IsForbidden))
                yield return by == project
                    ? $"{project.Path} uses {name}, which {project.Name} must not see"
                    : $"{project.Path} sees {name} through {by.Path}: {project.Name} must not";

        bool IsForbidden(string name) => Array.Exists(forbidden, f => name.StartsWith(f, StringComparison.OrdinalIgnoreCase));
    }

    // Itself and, as packages travel along references, all that it references directly or not.
    private static HashSet<ProjectFile> Reached(ProjectFile project, Dictionary<string, ProjectFile> all)
    {
        var (reached, open) = (new HashSet<ProjectFile> { project }, new Queue<ProjectFile>([project]));
        while (open.TryDequeue(out var next))
            foreach (var used in next.References.Where(all.ContainsKey).Select(r => all[r]).Where(reached.Add))
                open.Enqueue(used);
        return reached;
    }
}
