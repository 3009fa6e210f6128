using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Elastic.PlantedBugs;

/// <summary>A copy of the repository in which bugs are planted and tried. Deleted at the end.</summary>
internal sealed class Repository : IDisposable
{
    private const string Configuration = "Release", Framework = "net10.0";

    // The program that runs the simulator, and the tests of the code that the bugs are planted in.
    private const string Simulator = "src/Host", Tests = "tests/Coordination";

    private static readonly string[] NotCopied = [".git", "bin", "obj"];

    private readonly string _root = Directory.CreateTempSubdirectory("elastic-planted-bugs-").FullName;

    /// <summary>Where this program's own source lies.</summary>
    public static string Original([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));

    /// <summary>Copies and builds what the bugs are tried with.</summary>
    public async Task PrepareAsync(CancellationToken cancel)
    {
        Copy(new DirectoryInfo(Original()), _root);
        await BuildAsync(Simulator, cancel);
        await BuildAsync(Tests, cancel);
    }

    /// <summary>Plants a bug, or takes it out: builds the file's project and puts its assembly where the programs find it.</summary>
    public async Task WriteAsync(string file, string text, CancellationToken cancel)
    {
        await File.WriteAllTextAsync(Path.Combine(_root, file), text, cancel);
        var project = string.Join('/', file.Split('/')[..2]);
        await BuildAsync(project, cancel);
        var assembly = $"Elastic.{Path.GetFileName(project)}.dll";
        foreach (var program in (string[])[Simulator, Tests])
            File.Copy(Output(project, assembly), Output(program, assembly), true);
    }

    public Task<string> ReadAsync(string file, CancellationToken cancel) => File.ReadAllTextAsync(Path.Combine(_root, file), cancel);

    /// <summary>What "elastic simulate" says.</summary>
    public async Task<string> SimulateAsync(int seeds, CancellationToken cancel) =>
        (await RunAsync(cancel, Output(Simulator, "elastic.dll"), "simulate", "--seeds", $"{seeds}")).Said;

    /// <summary>What the tests say.</summary>
    public async Task<string> TestAsync(CancellationToken cancel) =>
        (await RunAsync(cancel, Output(Tests, "Elastic.Coordination.Tests.dll"))).Said;

    public void Dispose() => Directory.Delete(_root, true);

    private string Output(string project, string file) => Path.Combine(_root, project, "bin", Configuration, Framework, file);

    // A bug may leave a variable unused: warnings are not what is tried here.
    private async Task BuildAsync(string project, CancellationToken cancel)
    {
        var (succeeded, said) = await RunAsync(
            cancel, "build", project, "-c", Configuration, "-v", "q", "-p:TreatWarningsAsErrors=false", "-p:EnforceCodeStyleInBuild=false");
        if (!succeeded)
            throw new InvalidOperationException($"{project} does not build:\n{said}");
    }

    private async Task<(bool Succeeded, string Said)> RunAsync(CancellationToken cancel, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = _root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment = { ["NO_COLOR"] = "1" },
        })!;
        try
        {
            var said = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(cancel), process.StandardError.ReadToEndAsync(cancel));
            await process.WaitForExitAsync(cancel);
            return (process.ExitCode == 0, string.Concat(said));
        }
        catch (OperationCanceledException)
        {
            process.Kill(true);
            throw;
        }
    }

    private static void Copy(DirectoryInfo from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in from.EnumerateFiles().Where(f => f.LinkTarget is null))
            file.CopyTo(Path.Combine(to, file.Name));
        foreach (var folder in from.EnumerateDirectories().Where(d => d.LinkTarget is null && !NotCopied.Contains(d.Name)))
            Copy(folder, Path.Combine(to, folder.Name));
    }
}
