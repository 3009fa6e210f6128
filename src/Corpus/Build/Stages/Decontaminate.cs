using System.Runtime.InteropServices;
using Elastic.Corpus.Build.Duplicates;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Cuts out of training documents what evaluation sets have, too (Brown et al. 2020, "Language Models are Few-Shot Learners", appendix C):
/// each run of 13 words that is in one of them goes with 200 characters around it; pieces shorter than 200 characters go, and documents in
/// more than ten pieces as a whole. A run that is in more than ten training documents does not count: a licence, a saying.
/// </summary>
public sealed class Decontaminate(DecontaminateSettings settings) : CuttingStage
{
    private readonly Lazy<(HashSet<ulong> Grams, string Digest)> _against = new(() => Read(settings));

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<DecontaminateSettings>("decontaminate", 2,
        "Cuts out of training documents what given evaluation sets have, too: runs of 13 words.",
        settings => new Decontaminate(settings));

    /// <inheritdoc/>
    public override IReadOnlyList<string> Inputs => [$"decontaminate.against has {_against.Value.Digest}"];

    /// <inheritdoc/>
    public override string Reason => "what it does not share with the evaluation sets of decontaminate.against is too little, "
        + "or in too many pieces";

    /// <summary>The length of the text, and each run of words that an evaluation set has.</summary>
    public override byte[] Sketch(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return RunSketch.Of(draft.Text.Length, [.. Matches(draft)]);
    }

    /// <inheritdoc/>
    public override bool IsSketch(ReadOnlySpan<byte> sketch, int characters) => RunSketch.Is(sketch, characters);

    /// <inheritdoc/>
    public override IEnumerable<(long Number, IReadOnlyList<Range> Left)> Cut(IEnumerable<Candidate> candidates, StageWork work)
    {
        using var matches = work.Sort<Match>((a, b) => (a.Hash, a.Number, a.From).CompareTo((b.Hash, b.Number, b.From)));
        foreach (var (number, sketch) in candidates)
        {
            var length = RunSketch.LengthOf(sketch);
            foreach (var (hash, from, to) in RunSketch.RunsOf(sketch))
                matches.Add(new Match(hash, number, from, to, length));
        }
        using var counted = work.Sort<Match>((a, b) => (a.Number, a.From).CompareTo((b.Number, b.From)));
        foreach (var match in Rare(matches.Sorted()))
            counted.Add(match);
        var open = new List<Match>();
        foreach (var match in counted.Sorted())
        {
            if (open.Count > 0 && open[0].Number != match.Number)
            {
                yield return (open[0].Number, Left(open));
                open.Clear();
            }
            open.Add(match);
        }
        if (open.Count > 0)
            yield return (open[0].Number, Left(open));
    }

    /// <summary>What is left of a text of which the matches are cut; nothing where it is too little, or in too many pieces.</summary>
    private IReadOnlyList<Range> Left(List<Match> matches)
    {
        var (pieces, start, length) = (new List<Range>(), 0, matches[0].Length);
        foreach (var match in matches)
        {
            if (match.From - settings.Window > start)
                pieces.Add(start..(match.From - settings.Window));
            start = Math.Max(start, (int)Math.Min(length, (long)match.To + settings.Window));
        }
        if (start < length)
            pieces.Add(start..length);
        return Rest(pieces);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Range> Rest(IReadOnlyList<Range> pieces)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        return pieces.Count > settings.MostPieces ? [] : [.. pieces.Where(p => p.End.Value - p.Start.Value >= settings.LeastPiece)];
    }

    // Of matches in the order of their runs those whose run is in few documents.
    private IEnumerable<Match> Rare(IEnumerable<Match> matches)
    {
        var (open, documents) = (new List<Match>(), 0);
        foreach (var match in matches)
        {
            if (open.Count > 0 && open[0].Hash != match.Hash)
            {
                foreach (var rare in documents <= settings.MostDocuments ? open : [])
                    yield return rare;
                open.Clear();
                documents = 0;
            }
            if (open.Count == 0 || open[^1].Number != match.Number)
                documents++;
            // Of a run in too many documents only the last match is needed, which says what run it is.
            if (documents > settings.MostDocuments)
                open.Clear();
            open.Add(match);
        }
        foreach (var rare in documents <= settings.MostDocuments ? open : [])
            yield return rare;
    }

    private IEnumerable<(ulong Hash, int From, int To)> Matches(Draft draft) =>
        new WordRuns(draft.Text, draft.Cancel).Of(settings.Words).Watched(draft.Cancel)
            .Where(gram => _against.Value.Grams.Contains(gram.Hash));

    private static (HashSet<ulong>, string) Read(DecontaminateSettings settings)
    {
        if (settings.Against.FirstOrDefault(path => !Path.Exists(path)) is { } missing)
            throw new NotFoundException($"decontaminate.against: there is no {missing}: name the files of the evaluation sets");
        var found = CorpusSources.Find(
            CorpusSettings.Defaults with { Sources = settings.Against, TextField = settings.TextField },
            allFormats: true, rejects: null, CancellationToken.None);
        // What is not read is not looked for, and stays in the training text: nothing is left out without a word.
        if (found.PassedOver.HasFiles)
            throw new ElasticException($"decontaminate.against: {found.PassedOver}, of {string.Join(", ", settings.Against)}: name the "
                + "files of the evaluation sets themselves, in a format that Elastic reads");
        var named = settings.Against.Select(Path.GetFullPath).ToHashSet(StringComparer.Ordinal);
        var grams = new HashSet<ulong>();
        foreach (var file in found.Files)
        {
            if (file.Length == 0 && named.Contains(file.Path))
                throw new ElasticException($"decontaminate.against: {file.Path} has no bytes, so that nothing would be looked for: a pipe "
                    + "is not read; name a file with the text");
            var statistics = new ReadStatistics();
            foreach (var document in DocumentReader.Read(file, statistics))
                grams.UnionWith(new WordRuns(document.Text).Of(settings.Words).Select(g => g.Hash));
            CheckRead(file, statistics);
        }
        if (grams.Count == 0)
            throw new ElasticException($"decontaminate.against: no text of {string.Join(", ", settings.Against)} has {settings.Words} "
                + "words, so that nothing would be found: name other files, or set decontaminate.words");
        // What is looked for, and not the files: another order or another name of them decides nothing.
        var sorted = grams.ToArray();
        Array.Sort(sorted);
        return (grams, Digest.Of(MemoryMarshal.AsBytes<ulong>(sorted)).Hex);
    }

    private static void CheckRead(SourceFile file, ReadStatistics statistics)
    {
        const string Remedy = "name other files, or set decontaminate.text-field to the field that holds their text";
        var unread = statistics.UnreadRecords - statistics.NamedRecords;
        if (statistics.MalformedRecords > 0 || unread > 0)
        {
            var (count, why) = statistics.MalformedRecords > 0
                ? (statistics.MalformedRecords, statistics.Reasons()) : (unread, statistics.UnreadReasons());
            throw new ElasticException($"decontaminate.against: {count} record{(count == 1 ? "" : "s")} of {file.Path} cannot be read, and "
                + $"would not be looked for ({why}): {Remedy}");
        }
        // An empty one, which folders may have, leaves nothing out.
        if (statistics.Documents == 0 && file.Length > 0)
            throw new ElasticException(
                $"decontaminate.against: {file.Path} has no text, so that nothing of it would be looked for: {Remedy}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Match(ulong Hash, long Number, int From, int To, int Length);
}

/// <summary>Block <c>decontaminate</c>. The defaults are those of the paper.</summary>
public sealed record DecontaminateSettings : SettingsGroup
{
    [Setting("decontaminate.against", new string[0], "Files and folders with the evaluation sets; relative ones are the manifest's.",
        IsPath = true)]
    public required IReadOnlyList<string> Against { get; init; }

    [Setting("decontaminate.text-field", "text", """
        The field or column of the evaluation sets that is looked for. Where questions and answers are in two fields, name the stage twice.
        """)]
    [NotEmpty("name the field that holds the text, e.g. text")]
    public required string TextField { get; init; }

    [Setting("decontaminate.words", 13, "Words of a run. Texts with fewer are not looked for.")]
    [Between(1, 100), ChangesReading]
    public required int Words { get; init; }

    [Setting("decontaminate.window", 200, "Characters that are cut on each side of a run.")]
    [Between(0, 1_000_000)]
    public required int Window { get; init; }

    [Setting("decontaminate.least-piece", 200, "A piece of fewer characters that is left of a text is dropped.")]
    [Between(1, 1_000_000)]
    public required int LeastPiece { get; init; }

    [Setting("decontaminate.most-pieces", 10, "A text in more pieces is dropped as a whole.")]
    [Between(1, 1_000_000)]
    public required int MostPieces { get; init; }

    [Setting("decontaminate.most-documents", 10, "A run that is in more documents than these is common, and not cut.")]
    [Between(1, 1_000_000_000)]
    public required int MostDocuments { get; init; }

    /// <inheritdoc/>
    protected override IEnumerable<string> ProblemsTogether() => Against.Count > 0 ? [] :
        ["decontaminate.against is empty: name the files of the evaluation sets, e.g. against = [evaluation/test.jsonl]"];
}
