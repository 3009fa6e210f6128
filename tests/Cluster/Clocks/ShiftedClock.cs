using System.Diagnostics;
using System.Globalization;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>
/// Starts processes whose wall clock is wrong. Without a C compiler, or where libraries cannot be preloaded, the test is skipped.
/// </summary>
internal sealed class ShiftedClock
{
    private readonly string _library;

    /// <param name="folder">For the library that is preloaded.</param>
    public ShiftedClock(string folder)
    {
        Requirement.Need(OperatingSystem.IsLinux(), "needs libraries that are preloaded: use Linux");
        var compilerPath = Programs.Find(Programs.SearchPath, "cc", "gcc", "clang");
        Requirement.Need(compilerPath is not null, "needs a C compiler: apt-get install gcc libc6-dev");
        _library = Path.Combine(folder, "libshifted-clock.so");
        var source = Path.Combine(AppContext.BaseDirectory, "shifted-clock.c");
        using var compiler = Process.Start(compilerPath, ["-shared", "-fPIC", "-o", _library, source, "-ldl"]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
    }

    /// <param name="launch">What is started.</param>
    public Launch By(TimeSpan shift, Launch launch) => launch with
    {
        Environment = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = _library,
            ["CLOCK_SHIFT_SECONDS"] = ((long)shift.TotalSeconds).ToString(CultureInfo.InvariantCulture),
        },
    };
}
