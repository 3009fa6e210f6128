using System.CommandLine;
using Elastic.Host.Doctor;

namespace Elastic.Host.Commands;

/// <summary><c>elastic doctor</c>: says what this machine has, what is missing, and how to mend it.</summary>
internal static class DoctorCommand
{
    public static Command Build()
    {
        var dataDir = CommonOptions.DataDir();
        var command = new TeachingCommand("doctor",
            "Says what this machine can do: libtorch, devices, memory, disk, default corpus. "
            + "Every problem comes with its remedy, and exit code 1.",
            """
            elastic doctor
            ELASTIC_LIBTORCH=/opt/torch/lib elastic doctor         with the libtorch of an installed PyTorch
            """)
        { dataDir };
        command.SetAction((parsed, _) => Task.FromResult(
            Report(Findings(CommonOptions.OpenDataDirectory(parsed, dataDir)), parsed.InvocationConfiguration.Output)));
        return command;
    }

    /// <summary>Writes the findings as they come; some take a second.</summary>
    public static int Report(IEnumerable<Finding> findings, TextWriter output)
    {
        var problems = 0;
        foreach (var finding in findings)
        {
            problems += finding.Remedy is null ? 0 : 1;
            foreach (var line in finding.Lines())
                output.WriteLine(line);
        }

        output.WriteLine(problems == 0 ? "no problems: elastic train will do" : $"{problems} {(problems == 1 ? "problem" : "problems")}");
        return problems == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static IEnumerable<Finding> Findings(DataDirectory data) =>
    [
        MachineFindings.System(), .. MachineFindings.Native(), MachineFindings.Memory(), .. DiskFindings.Of(data),
        MachineFindings.DefaultText()
    ];
}
