namespace Elastic.Testing;

/// <summary>How an executable of ours is started.</summary>
/// <param name="Assembly">For <c>dotnet</c>: beside the caller, or with its path. Nothing where <see cref="Here"/> is set.</param>
public sealed record Launch(string Assembly)
{
    public static readonly Launch Elastic = new("elastic.dll");

    /// <summary>
    /// A worker whose steps take at least 20 ms, so that a run is not over before all that is to happen to it has happened.
    /// </summary>
    public static readonly Launch Slow = Faulty("slow");

    /// <summary>A worker with a fault: see tests/Faulty.</summary>
    public static Launch Faulty(string fault) => new("Elastic.Faulty.dll") { Words = [fault] };

    /// <summary><c>elastic</c> for Arm64 in an emulator; the running test is skipped where there is none.</summary>
    public static Launch Arm64
    {
        get
        {
            var folder = System.Environment.GetEnvironmentVariable("ELASTIC_ARM64");
            Requirement.Need(
                folder is not null && Programs.Find(Programs.SearchPath, "qemu-aarch64") is not null,
                "needs an emulator and elastic for Arm64: apt-get install qemu-user, .ci/arm64 DIR, ELASTIC_ARM64=DIR");
            return new Launch(Path.Combine(folder, "elastic", "elastic"))
            {
                IsProgram = true,
                Wrapper = ["qemu-aarch64", "-L", Path.Combine(folder, "root")],
                // Memory that is mapped twice, once to write code and once to run it: the emulator misses changes, and the program crashes.
                Environment = new Dictionary<string, string> { ["DOTNET_EnableWriteXorExecute"] = "0" },
            };
        }
    }

    /// <summary>Runs it in the caller's process; null for a process of its own.</summary>
    public CommandLineRun? Here { get; init; }

    /// <summary>True for a program that runs without <c>dotnet</c>.</summary>
    public bool IsProgram { get; init; }

    /// <summary>Words before the command.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Words before "dotnet ..."; a wrapper must end in <c>exec</c>, so that it is the process that gets the signals.</summary>
    public IReadOnlyList<string> Wrapper { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>True when its standard input is to be written to.</summary>
    public bool TakesInput { get; init; }
}
