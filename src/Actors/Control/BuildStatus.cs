using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>A corpus that the nodes are to build.</summary>
/// <param name="Path">Where the manifest is on the seed.</param>
/// <param name="Text">The manifest as it was written.</param>
/// <param name="Sets">Settings of the corpus, each "key=value".</param>
/// <param name="Manifest">What the text says.</param>
/// <param name="Corpus">What the settings say, for a corpus of any text.</param>
public sealed record BuildPlan(string Path, string Text, IReadOnlyList<string> Sets, BuildManifest Manifest, CorpusSettings Corpus);

/// <summary>A build as people see it.</summary>
/// <param name="Build">Its name.</param>
/// <param name="Manifest">The path of its manifest.</param>
/// <param name="Seed">The seed that builds it.</param>
/// <param name="Who">Who has asked.</param>
/// <param name="Note">What came of it, or why nothing did; empty while it goes on.</param>
public sealed record BuildStatus(
    string Build, string Manifest, NodeId Seed, string Who, DateTimeOffset StartedAt, BuildState State, string Note)
{
    /// <summary>How far it is; null where another seed builds it, or none does at the moment.</summary>
    public BuildSight? Now { get; init; }

    /// <summary>The digest of the corpus; null until it is there.</summary>
    public Digest? Corpus { get; init; }
}

/// <summary>How far a build is, at one moment.</summary>
/// <param name="Phase">What it does, in words.</param>
/// <param name="Documents">Documents in the pieces that are read; while tokens are made, documents that have theirs.</param>
/// <param name="Bytes">Bytes of the files of these pieces; or of the text that has tokens.</param>
/// <param name="OfBytes">Bytes of all files; or of the text.</param>
/// <param name="DocumentsPerSecond">Documents per second, over the last minute.</param>
/// <param name="BytesPerSecond">Bytes per second, over the last minute.</param>
/// <param name="Nodes">Nodes that read, or make tokens, now.</param>
/// <param name="Dropped">What the stages have dropped so far that decide about each document alone.</param>
/// <param name="Notices">What there was to say, the newest ones; the oldest first.</param>
/// <param name="Told">How many notices there were in all.</param>
public sealed record BuildSight(
    string Phase, long Documents, long Bytes, long OfBytes, double DocumentsPerSecond, double BytesPerSecond, int Nodes,
    IReadOnlyList<(string Stage, long Documents)> Dropped, IReadOnlyList<string> Notices, int Told)
{
    /// <summary>Tokens that were made; 0 while none are.</summary>
    public long Tokens { get; init; }

    /// <summary>Tokens per second, over the last minute.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>The time that reading, or making tokens, takes yet; null where that is not known.</summary>
    public TimeSpan? Left => BytesPerSecond > 0 && OfBytes > Bytes ? TimeSpan.FromSeconds((OfBytes - Bytes) / BytesPerSecond) : null;
}
