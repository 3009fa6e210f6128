using System.Diagnostics;
using System.Text.RegularExpressions;
using Elastic.Testing;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>The kernels compile to PTX for a GPU, by a compiler that is no NVIDIA's, and to what they say: nothing is contracted.</summary>
public sealed partial class PtxTests : TemporaryFolder
{
    private static readonly string[] Compilers =
        ["clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14"];

    [Fact]
    public void No_fused_multiply_add_but_the_written_ones_no_atomics_and_each_operation_is_rounded()
    {
        var compiler = Programs.Find(Programs.SearchPath, Compilers);
        Requirement.Need(compiler is not null, "needs clang, which compiles CUDA to PTX: apt-get install clang");
        // As NVRTC gets them: each alone.
        var ptx = KernelSource.Units.SelectMany(unit => Compile(compiler, unit)).ToList();

        var (isWritten, kernels, named, written, approximations) = (false, new List<string>(), new List<string>(), 0, 0);
        foreach (var line in ptx)
        {
            isWritten = line.Contains("begin inline asm", StringComparison.Ordinal)
                || isWritten && !line.Contains("end inline asm", StringComparison.Ordinal);
            if (Entry().Match(line) is { Success: true } entry)
                kernels.Add(entry.Groups["name"].Value);
            if (Named().Match(line) is { Success: true } variable)
                named.Add(variable.Groups["name"].Value);
            written += isWritten && line.Contains("fma.rn.f32", StringComparison.Ordinal) ? 1 : 0;
            Assert.False(!isWritten && Fused().IsMatch(line), line);
            // One approximation is written, which arithmetic.cuh corrects; each GPU tries all numbers (KernelCheck).
            approximations += isWritten && line.Contains("rcp.approx.ftz.f32", StringComparison.Ordinal) ? 1 : 0;
            Assert.False(Inexact().IsMatch(isWritten ? line.Replace("rcp.approx.ftz.f32", "", StringComparison.Ordinal) : line), line);
            // A kernel's numbers are in registers, but for the tree's stack of sums.
            if (Spilled().IsMatch(line))
                Assert.Contains(kernels[^1], new[] { "tree_sum", "embedding_gradient" });
        }
        Assert.Equal(named.Order(StringComparer.Ordinal), kernels.Order(StringComparer.Ordinal));
        Assert.Contains("norm_backward_f32_bf16_bf16", kernels);
        Assert.True(written > 50 && approximations > 0);
    }

    private string[] Compile(string compiler, string unit)
    {
        string source = Path.Combine(Folder, "kernels.cu"), ptx = Path.Combine(Folder, "kernels.ptx");
        File.WriteAllText(source, unit);
        // What NVRTC defines by itself.
        var words = new[] { "global", "device", "shared" }.Select(w => $"-D__{w}__=__attribute__(({w}))");
        // A unit need not use all that all share.
        var start = new ProcessStartInfo(compiler,
        [
            "-x", "cuda", "--cuda-device-only", "-nocudainc", "-nocudalib", "--cuda-gpu-arch=sm_80", "-std=c++17", "-ffp-contract=off",
            "-O2", "-S", "-Wall", "-Wno-unused-function", "-Werror", .. words, source, "-o", ptx,
        ])
        { RedirectStandardError = true, UseShellExecute = false };
        // A variable for each kernel that tests run elsewhere.
        start.ArgumentList.Add("-DENTRY(name)=__device__ char entry_##name;");
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return File.ReadAllLines(ptx);
    }

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Entry();

    [GeneratedRegex(@"\.global .*\bentry_(?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();

    [GeneratedRegex(@"\b(fma|mad)\.[a-z.]*f(32|64)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fused();

    [GeneratedRegex(@"\b(ld|st)\.local\b|\.local \.align", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Spilled();

    // Sums and products without a rounding mode may be contracted later; approximations and flushed numbers; what threads do in any order.
    [GeneratedRegex(@"\b(add|sub|mul|div|sqrt)\.f(32|64)\b|\.approx|\.ftz|\b(atom|red)\.", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Inexact();
}
