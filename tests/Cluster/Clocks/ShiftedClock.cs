using System.Diagnostics;
using System.Globalization;

namespace Elastic.Cluster.Tests;

/// <summary>Starts processes whose wall clock is wrong. It needs a C compiler: Debian's package gcc.</summary>
internal sealed class ShiftedClock
{
    private readonly string _library;

    /// <param name="folder">For the library that is preloaded.</param>
    public ShiftedClock(string folder)
    {
        _library = Path.Combine(folder, "libshifted-clock.so");
        using var compiler = Process.Start("cc", ["-shared", "-fPIC", "-o", _library, Path.Combine(AppContext.BaseDirectory, "shifted-clock.c"), "-ldl"]);
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
