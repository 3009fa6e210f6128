using Elastic.Foundation;

namespace Elastic.Host;

/// <summary>Says in plain words what a failed file operation means, and how to mend it.</summary>
internal static class DiskProblem
{
    /// <summary>A sentence for the person, or null where <paramref name="error"/> is not about the disk.</summary>
    public static string? Describe(Exception error) => error switch
    {
        UnauthorizedAccessException => $"{DurableFile.WithoutTemporary(error.Message)} Allow it, or choose another folder with --data-dir",
        IOException io when DiskSpace.IsExhausted(io) =>
            $"the disk is full ({DurableFile.WithoutTemporary(io.Message).TrimEnd('.')}): free space or choose another folder " +
            "with --data-dir; the same command then goes on where it stopped",
        IOException => DurableFile.WithoutTemporary(error.Message),
        _ => null,
    };
}
