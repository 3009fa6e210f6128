using Elastic.Foundation;
using Elastic.Model.Tests;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests;

public class NativeTorchTests(ITestOutputHelper output)
{
    [Fact]
    public void Without_a_named_folder_the_packaged_libtorch_is_loaded_and_described()
    {
        if (Environment.GetEnvironmentVariable(NativeTorch.FolderVariable) is { Length: > 0 })
            return; // then there is no packaged one
        Parallel.For(0, 8, _ => NativeTorch.Load());
        var found = NativeTorch.Describe();
        Assert.Equal("package", found.Origin);
        Assert.StartsWith(AppContext.BaseDirectory, found.Folder, StringComparison.Ordinal);
        Assert.StartsWith(NativeTorch.ShimVersion, found.Version, StringComparison.Ordinal);
        Assert.Single(LoadedLibtorch());
    }

    [Fact]
    public void A_named_folder_is_the_only_libtorch_of_the_process()
    {
        var folder = Folder(name => name);
        var (exitCode, text) = ChildProcess.Run(
            typeof(NativeTorchTests), nameof(Child_computes_with_the_named_folder), (NativeTorch.FolderVariable, folder));
        Directory.Delete(folder, true);
        Assert.True(exitCode == 0, text);
        Assert.Contains($"folder {folder}, one libtorch, 2 + 2 = 4", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_libtorch_is_refused_by_name()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-").FullName;
        var (exitCode, text) = ChildProcess.Run(
            typeof(NativeTorchTests), nameof(Child_reports_the_refusal), (NativeTorch.FolderVariable, folder));
        Directory.Delete(folder);
        Assert.True(exitCode == 0, text);
        Assert.Contains($"{NativeTorch.FolderVariable} = {folder}: there is no libtorch_cpu.so in it", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_libtorch_that_lacks_symbols_is_refused_and_some_are_named()
    {
        // As good as another version: a library under the right name, without the operators.
        var folder = Folder(name => name == "libtorch_cpu.so" ? "libc10.so" : name);
        var (_, text) = ChildProcess.Run(typeof(NativeTorchTests), nameof(Child_reports_the_refusal), (NativeTorch.FolderVariable, folder));
        Directory.Delete(folder, true);
        Assert.Contains("it lacks", text, StringComparison.Ordinal);
        Assert.Contains("_ZN", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Child_computes_with_the_named_folder()
    {
        if (!ChildProcess.IsChild)
            return;
        var found = NativeTorch.Describe();
        using var four = TorchSharp.torch.tensor(2f).Plus(2);
        Assert.Single(LoadedLibtorch());
        output.WriteLine($"folder {found.Folder}, one libtorch, 2 + 2 = {four.item<float>()}");
    }

    [Fact]
    public void Child_reports_the_refusal()
    {
        if (!ChildProcess.IsChild)
            return;
        var refusal = Assert.Throws<ElasticException>(NativeTorch.Load);
        Assert.Same(refusal, Assert.Throws<ElasticException>(NativeTorch.Load));
        output.WriteLine(refusal.Message);
    }

    // A folder of links to the packaged libraries, some of which may be exchanged.
    private static string Folder(Func<string, string> target)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-").FullName;
        var package = NativeTorch.Describe().Folder;
        foreach (var file in Directory.EnumerateFiles(package).Select(f => Path.GetFileName(f)).Where(f => f != "libLibTorchSharp.so"))
            File.CreateSymbolicLink(Path.Combine(folder, file), Path.Combine(package, target(file)));
        return folder;
    }

    private static IEnumerable<string> LoadedLibtorch()
        => File.ReadLines("/proc/self/maps")
            .Where(l => l.Contains("libtorch_cpu.so", StringComparison.Ordinal)).Select(l => l[l.IndexOf('/')..]).Distinct();
}
