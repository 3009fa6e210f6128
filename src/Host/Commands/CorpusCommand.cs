using System.CommandLine;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus</c>: token shards without training, and the proof of what a run has read.</summary>
internal static class CorpusCommand
{
    public static Command Build() => new("corpus", "Builds, shows and audits token shards.");
}
