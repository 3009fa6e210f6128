using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Elastic.Kernels.Tests;

public class BannedNamesTests
{
    // What gives other bits on other processors, with other C libraries or in other versions of the runtime.
    private static readonly Regex Banned = new(
        @"\b\w+Native\b(?!Memory)|\b\w*Estimate\b|\bVector(64|128|256|512)?\.(Sum|Dot)\b|\bTensorPrimitives\b"
        + @"|\bMathF?\.(Exp|Log|Log2|Log10|Pow|Sin|Cos|SinCos|Tan|Tanh|Sinh|Cosh|Asin|Acos|Atan|Atan2|Cbrt)\b|\bMath\.FusedMultiplyAdd\b"
        + @"|\bReciprocal\w*\b|\bVector(128|256|512)\.(Exp|Log|Sin|Cos|SinCos|Max|Min|ConvertToInt32)\b|\btorch\b",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    // Kernels of before, which stay until the model uses the others.
    private static readonly string[] Excepted = ["Gemm.cs", "Kernel.cs", "Packing.cs", "SoftmaxGradient.cs"];

    [Fact]
    public void Kernels_use_nothing_that_is_not_the_same_on_every_processor()
    {
        var folder = Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "src", "Kernels");
        var files = Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}"))
            .Where(f => !Excepted.Contains(Path.GetFileName(f)))
            .ToList();
        Assert.Contains(files, f => Path.GetFileName(f) == "ElementaryLanes.cs");
        var found = files.SelectMany(f => File.ReadLines(f).Select((line, i) => (File: f, Line: i + 1, Code: line.Split("//")[0])))
            .Where(l => Banned.IsMatch(l.Code))
            .Select(l => $"{Path.GetFileName(l.File)}:{l.Line}: {l.Code.Trim()}");
        Assert.Empty(found);
    }

    [Theory]
    [InlineData("x = Math.Exp(y);")]
    [InlineData("x = MathF.Tanh(y);")]
    [InlineData("x = Vector512.Sum(y);")]
    [InlineData("x = Vector.Dot(y, z);")]
    [InlineData("x = Vector256.MinNative(y, z);")]
    [InlineData("x = Vector128.MultiplyAddEstimate(y, z, w);")]
    [InlineData("x = Avx512F.Reciprocal14(y);")]
    [InlineData("x = Math.FusedMultiplyAdd(a, b, c);")]
    [InlineData("TensorPrimitives.Add(a, b, c);")]
    public void What_is_banned_is_found(string code) => Assert.Matches(Banned, code);

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
