using Elastic.Foundation;
using Elastic.Messages.Work;

namespace Elastic.Messages.Runs;

/// <summary>Who asks, when, and under which id, by which a repeated request is recognised.</summary>
/// <param name="Id">Drawn by the asker; the run remembers recent ones.</param>
/// <param name="Who">E.g. "pbm anna@gpu7", "elastic train".</param>
/// <param name="At">By the asker's clock.</param>
public sealed record Origin(string Id, string Who, DateTimeOffset At) : IWireMessage;

/// <summary>What people ask of a run. Asking twice is always safe.</summary>
public abstract record RunRequest(RunName Run, Origin Origin) : ISaidBySeed
{
    /// <summary>Starts the run, or resumes it when settings and corpus are the same.</summary>
    public sealed record Start(RunName Run, Origin Origin) : RunRequest(Run, Origin)
    {
        /// <summary>Canonical text of the training settings, or one part of it: it may name thousands of files.</summary>
        public required string Settings { get; init; }

        /// <summary>One of several messages with the same origin, where the settings are too long for one.</summary>
        public Part Part { get; init; } = Part.Whole;

        /// <summary>Elements of the flat vector of trained parameters.</summary>
        public required long Elements { get; init; }

        /// <summary>Digest of the built corpus.</summary>
        public required Digest Corpus { get; init; }

        /// <summary>SHA-256 of the corpus's manifest file, by which other nodes fetch the corpus.</summary>
        public Digest? Manifest { get; init; }

        /// <summary>Training blocks in the corpus: one epoch. 0 while it is being built.</summary>
        public required long Blocks { get; init; }

        /// <summary>Blocks kept for evaluation; 0 for none.</summary>
        public required long HeldOutBlocks { get; init; }

        /// <summary>What the bits depend on besides the settings and the corpus: kind of device, instruction set, threads. Empty where that
        /// is not known yet.</summary>
        public required string Arithmetic { get; init; }

        /// <summary>
        /// What is to change in mid-run, in the order of the rounds. Of a run that exists, those that it has are passed over.
        /// </summary>
        public SettingsChange[] Changes { get; init; } = [];

        /// <summary>The messages that it travels in.</summary>
        public IEnumerable<Start> Parts() => Part.Cut(Settings).Select(p => this with { Settings = p.Text, Part = p.Part });
    }

    /// <summary>Begin a segment of the run, whose settings are others.</summary>
    /// <param name="Settings">The keys that change, and no others: canonical text, see <see cref="Settings.PartialSettings"/>.</param>
    /// <param name="FromRound">Its first round; null for the next one that has not begun.</param>
    /// <param name="OnlyTells">True to change nothing, and to be told what would change.</param>
    public sealed record Set(
        RunName Run, Origin Origin, string Settings, int? FromRound, bool OnlyTells) : RunRequest(Run, Origin);

    /// <summary>
    /// Says for the process that builds the run's corpus, while the run reads it, that a window of shards is finished, or the corpus is; or
    /// only that the build goes on, or why it does not.
    /// </summary>
    public sealed record Grow(RunName Run, Origin Origin) : RunRequest(Run, Origin)
    {
        /// <summary>Digest of the corpus that is built.</summary>
        public required Digest Corpus { get; init; }

        /// <summary>The window that is finished; null for none.</summary>
        public CorpusWindow? Window { get; init; }

        /// <summary>SHA-256 of the newest manifest, by which other nodes fetch what is finished; null where nothing is.</summary>
        public Digest? Manifest { get; init; }

        /// <summary>The whole corpus, where it is complete and all of its windows were said.</summary>
        public CorpusEnd? End { get; init; }

        /// <summary>Why the build has ended before its end; null where it has not.</summary>
        public string? Failure { get; init; }
    }

    /// <summary>Stop at the next step boundary, for good unless somebody starts the run again.</summary>
    public sealed record Stop(RunName Run, Origin Origin) : RunRequest(Run, Origin);

    /// <summary>Take a break at the next step boundary, which <see cref="Resume"/> ends. The run stays one that is at work.</summary>
    public sealed record Pause(RunName Run, Origin Origin) : RunRequest(Run, Origin);

    /// <summary>End the break. Refused for a run that was stopped: only its start, with its settings, goes on with that.</summary>
    public sealed record Resume(RunName Run, Origin Origin) : RunRequest(Run, Origin);

    /// <summary>Make a checkpoint of the newest version, or of the first one there will be.</summary>
    public sealed record Checkpoint(RunName Run, Origin Origin) : RunRequest(Run, Origin);

    /// <summary>Remove the run and all that nodes store of it; its events stay in the journal. Refused while it is at work.</summary>
    public sealed record Delete(RunName Run, Origin Origin) : RunRequest(Run, Origin);
}
