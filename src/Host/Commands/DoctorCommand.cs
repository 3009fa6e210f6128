using System.CommandLine;

namespace Elastic.Host.Commands;

/// <summary><c>elastic doctor</c>: what this machine has, what is missing, and how to mend it.</summary>
internal static class DoctorCommand
{
    public static Command Build() => new("doctor", "Says what this machine can do.");
}
