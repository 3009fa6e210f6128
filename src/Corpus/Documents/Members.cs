using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Parts of a file that are read as files of their own.</summary>
internal static class Members
{
    // An archive may hold archives; one that holds itself has no end.
    private const int MostNested = 4;
    private const int NameShown = 200;

    /// <summary>The documents of a part whose bytes are in memory.</summary>
    /// <param name="leftOutBy">See <see cref="SourceFile.LeftOutBy"/>.</param>
    public static IEnumerable<Document> Read(
        SourceFile outer, string name, DocumentFormat format, byte[] bytes, string leftOutBy, ReadStatistics statistics)
    {
        using var member = MemberBytes.Of(bytes, outer, Expansion.Of(outer));
        foreach (var document in Read(outer, name, (DocumentFormats.Of(format), Packing.None), member, null, leftOutBy, statistics))
            yield return document;
    }

    /// <summary>The documents of a member of an archive, whose format is known by its name.</summary>
    /// <param name="path">Its name in the archive.</param>
    /// <param name="length">How many bytes it claims to have: as many are lost where it cannot be read, and no more than there are.</param>
    /// <param name="open">Gives its bytes; not called where they are not wanted.</param>
    /// <param name="licences">The terms that the archive comes with.</param>
    public static IEnumerable<Document> ReadByName(
        SourceFile outer, string path, long length, Func<Stream> open, Func<ArchiveLicences> licences, Expansion expansion,
        ReadStatistics statistics)
    {
        var name = OneLine.Of(NameOf(path), NameShown);
        if (name.Split('/').Any(part => part.StartsWith('.')) || IsExcluded(name, new NamePatterns(outer.Reading.Exclude)))
            yield break;
        if (new NamePatterns(outer.Reading.Members) is { IsEmpty: false } wanted && !wanted.Matches(name))
            yield break;
        if (DocumentFormats.Of(name) is not var (kind, packing) || kind.IsForSettings)
        {
            statistics.CountUnread(outer, $"{name} has no format that is read");
            yield break;
        }
        if (outer.Member?.Depth > MostNested)
        {
            statistics.CountMalformed(
                outer, 0, $"{name} is nested more than {MostNested} archives deep and is left out", Lost(outer, length));
            yield break;
        }
        using var bytes = TryTake(outer, name, length, open, expansion, statistics);
        if (bytes is null)
            yield break;
        var licence = kind.Format == DocumentFormat.SourceCode ? licences().Of(name) : null;
        var leftOutBy = $"corpus.exclude = [\"{name}\"]";
        foreach (var document in Read(outer, $"{outer.Name}:{name}", (kind, packing), bytes, licence, leftOutBy, statistics))
            yield return document;
    }

    /// <summary>A name as archives have it, as a folder would have it: "./a.txt" and "/a.txt" are "a.txt".</summary>
    public static string NameOf(string path)
    {
        var name = path.Replace('\\', '/');
        while (name.StartsWith("./", StringComparison.Ordinal) || name.StartsWith('/'))
            name = name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..];
        return name;
    }

    // By its own name, or by that of a folder that it is in.
    private static bool IsExcluded(string name, NamePatterns exclude)
    {
        for (var part = name; !exclude.IsEmpty && part.Length > 0; part = part[..Math.Max(0, part.LastIndexOf('/'))])
            if (exclude.Matches(part))
                return true;
        return false;
    }

    // The documents of a part. They count for the file on the disk.
    private static IEnumerable<Document> Read(
        SourceFile outer, string name, (FormatKind Kind, Packing Packing) format, MemberBytes bytes, string? licence,
        string leftOutBy, ReadStatistics statistics)
    {
        var file = outer with
        {
            Path = outer.Path + name[outer.Name.Length..],
            Name = name,
            Format = format.Kind.Format,
            Packing = format.Packing,
            Member = bytes,
            Licence = licence,
            LeftOutBy = leftOutBy,
            Content = null,
        };
        if (!JsonLines.AreIn(file))
        {
            statistics.CountUnread(outer, $"{name[(outer.Name.Length + 1)..]} {JsonLines.OtherContent}");
            yield break;
        }
        foreach (var document in DocumentReader.Documents(file, statistics))
            yield return document with
            {
                Source = document.Source == name ? outer.OuterName : document.Source,
                Format = document.Format ?? file.Format,
            };
    }

    private static MemberBytes? TryTake(
        SourceFile outer, string name, long length, Func<Stream> open, Expansion expansion, ReadStatistics statistics)
    {
        try
        {
            using var stream = open();
            return MemberBytes.Take(stream, outer, expansion);
        }
        catch (RejectedFileException e) when (outer.Reading.PassesOverRejects)
        {
            statistics.CountMalformed(outer, 0, $"{name} is left out: {e.Message}", Lost(outer, length));
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            statistics.CountMalformed(outer, 0, $"{name} is left out: {e.Message}", Lost(outer, length));
        }
        return null;
    }

    /// <summary>The bytes that are lost with a part which claims so many.</summary>
    public static long Lost(SourceFile outer, long claimed) => Math.Clamp(claimed, 0, outer.Length);
}
