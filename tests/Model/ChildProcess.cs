using Elastic.Testing;

namespace Elastic.Model.Tests;

/// <summary>Runs one test of this assembly in a process of its own: for what can be loaded, or measured, only once in a process.</summary>
internal static class ChildProcess
{
    /// <summary>Set in the child; the tests meant for it do nothing without it.</summary>
    public const string Mark = "ELASTIC_MODEL_TEST_CHILD";

    // The longest one takes three thousand steps.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(8);

    public static bool IsChild => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Exit code and output of running <paramref name="method"/> of <paramref name="type"/>.</summary>
    public static (int ExitCode, string Output) Run(Type type, string method, params (string Name, string Value)[] environment)
    {
        var launch = new Launch(type.Assembly.Location) { Environment = environment.Append((Mark, "1")).ToDictionary() };
        using var process = new ElasticProcess(launch, ["-method", $"{type.FullName}.{method}", "-showLiveOutput", "-noColor"]);
        return (process.EndAsync(Deadline).GetAwaiter().GetResult(), process.Output);
    }
}
