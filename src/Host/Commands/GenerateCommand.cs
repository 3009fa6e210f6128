using System.CommandLine;

namespace Elastic.Host.Commands;

/// <summary><c>elastic generate</c>: lets the newest checkpoint of a run go on with a text.</summary>
internal static class GenerateCommand
{
    public static Command Build() => new("generate", "Continues a text with the newest checkpoint of a run.");
}
