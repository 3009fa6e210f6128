using System.Diagnostics;

namespace Elastic.Model.Tests;

/// <summary>Runs one test of this assembly in a process of its own: for what can be loaded, or measured, only once in a process.</summary>
internal static class ChildProcess
{
    /// <summary>Set in the child; the tests meant for it do nothing without it.</summary>
    public const string Mark = "ELASTIC_MODEL_TEST_CHILD";

    public static bool IsChild => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Exit code and output of running <paramref name="method"/> of <paramref name="type"/>.</summary>
    public static (int ExitCode, string Output) Run(Type type, string method, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            ArgumentList = { "exec", type.Assembly.Location, "-method", $"{type.FullName}.{method}", "-showLiveOutput", "-noColor" },
        };
        start.Environment[Mark] = "1";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
