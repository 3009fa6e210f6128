using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Names a built corpus by everything that decides its bytes, so that it is built once and found again.</summary>
public static class CorpusIdentity
{
    /// <summary>
    /// Raised with a change to how all documents are read, tokenized or stored. A change that concerns some files only goes into
    /// <see cref="ReadingOf"/> instead, so that the corpora of all others keep their ids.
    /// </summary>
    public const int FormatVersion = 2;

    /// <summary>
    /// Digest over format version, tokenizer, held-out share, each file's name and content, and what is special in how it is read; and the
    /// files with their contents, so that a file that changes before it is read is found out.
    /// </summary>
    /// <param name="cancel">Ends the reading of the files.</param>
    public static (Digest Id, IReadOnlyList<SourceFile> Files) Identify(
        IReadOnlyList<SourceFile> files, CorpusSettings settings, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(settings);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AppendNumber(hash, FormatVersion);
        AppendText(hash, settings.Tokenizer);
        AppendNumber(hash, BitConverter.DoubleToInt64Bits(settings.HeldOut));
        var named = new List<SourceFile>();
        var readings = new List<(int File, string Reading)>();
        // As many at once as there are cores.
        var each = new (Digest Content, IReadOnlyList<string> Reading)[files.Count];
        Parallels.For(files.Count, Environment.ProcessorCount, i => each[i] = OfFile(files[i] with { Cancel = cancel }), cancel);
        foreach (var (file, (content, reading)) in files.Zip(each))
        {
            AppendText(hash, file.Name);
            hash.AppendData(Convert.FromHexString(content.Hex));
            readings.AddRange(reading.Select(line => (named.Count, line)));
            named.Add(file with { Content = content });
        }
        // Behind all files, and only where there is something to say: the ids of corpora without are those that they always were.
        foreach (var (file, reading) in readings)
        {
            AppendNumber(hash, file);
            AppendText(hash, reading);
        }
        if (settings.WholeWords)
        {
            AppendNumber(hash, named.Count);
            AppendText(hash, "whole-words");
        }
        // Not the weights: with others the same shards are read in another order.
        if (settings.Mixture.Count > 0)
        {
            AppendNumber(hash, named.Count);
            AppendText(hash, settings.ReadsInTurn ? "a source a shard, all sources in turn" : "a source a shard");
        }
        return (Digest.Of(hash), named);
    }

    /// <summary>The digest of some texts in their order.</summary>
    internal static Digest OfTexts(IEnumerable<string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var text in texts)
            AppendText(hash, text);
        return Digest.Of(hash);
    }

    /// <summary>The digest of a file's bytes, and what is special in how it is read.</summary>
    internal static (Digest Content, IReadOnlyList<string> Reading) OfFile(SourceFile file)
    {
        var (survey, packing) = (new LineSurvey(), new PackingSurvey(file));
        var content = new Digest(Convert.ToHexStringLower(HashOf(file, survey, packing)));
        return (content, [.. ReadingOf(file, survey, packing)]);
    }

    // What decides the documents of a file besides its name and bytes. The first versions read files differently where it says "2".
    private static IEnumerable<string> ReadingOf(SourceFile file, LineSurvey survey, PackingSurvey packing)
    {
        var isJson = file.Format == DocumentFormat.JsonLines;
        if (file is { Format: DocumentFormat.Text, Packing: Packing.None } && survey.HasLongLines)
            yield return "text 2: long lines are cut at white space, without an end-of-text";
        if (file is { Format: DocumentFormat.Xml, Packing: Packing.None } && XmlFiles.ReadsMoreThanBefore(file, survey))
            yield return "xml 2: references of HTML; long lines are cut at white space, without an end-of-text";
        if (isJson)
            yield return "json 2: faults outside of the text are passed over";
        // What is left out at all is named: without that a row that is too long ends the reading.
        if (file is { Format: DocumentFormat.Csv, Reading.PassesOverRejects: true })
            yield return "csv 2: of a row that is too long the end is looked for outside of quotation marks";
        if (file.Format == DocumentFormat.LlmcShard && LlmcCorpus.WasHeldOut(file) != LlmcCorpus.IsHeldOut(file))
            yield return "llm.c 2: \"val\" is a word of the name";
        if (file.Format == DocumentFormat.Parquet)
            yield return $"parquet {ParquetFiles.ReaderVersion}";
        if ((isJson || file.Format is DocumentFormat.Parquet or DocumentFormat.Csv or DocumentFormat.Arrow or DocumentFormat.Tar
                or DocumentFormat.Zip) && file.Reading.TextField != Reading.Default.TextField)
            yield return $"text-field {file.Reading.TextField}";
        foreach (var line in packing.Lines())
            yield return line;
        // Of a packed one nothing can be said without unpacking it.
        if (file.Format == DocumentFormat.Arrow && (file.Packing != Packing.None || ArrowFiles.ReadsMoreThanBefore(file)))
            yield return "arrow 2: a batch may have as many rows as the file has bytes";
        // Only of files whose bytes say so: in packed ones and in members what is behind the first is named, and not read.
        if (file is { Format: DocumentFormat.Arrow, Packing: Packing.None } && ArrowFiles.IsJoined(file))
            yield return "arrow 3: streams behind the first one are read";
        if (file is { Format: DocumentFormat.Tar, Packing: Packing.None } && TarFiles.IsJoined(file))
            yield return "tar 2: archives behind the first one are read";
        if (file.Licence is { } licence)
            yield return $"licence {licence}";
        if (file.Format is DocumentFormat.Tar or DocumentFormat.Zip)
        {
            yield return "members 3: .json of records, .warc.wet and all streams of .xz are read, licences are known by their heads";
            if (file.Reading.Members.Count > 0)
                yield return $"members {ItemList.Of(file.Reading.Members, " ")}";
            if (file.Reading.Exclude.Count > 0)
                yield return $"exclude {ItemList.Of(file.Reading.Exclude, " ")}";
        }
        if (file.Reading.PassesOverRejects)
            yield return "rejects are passed over";
        if (file.Reading.Blocks is { } blocks)
            yield return $"blocks {blocks.Digest.Hex}";
        if (file.Reading.LongestRecord != Reading.Default.LongestRecord)
            yield return $"longest record {file.Reading.LongestRecord}";
        if (file.Reading.MainText
            && file.Format is DocumentFormat.Html or DocumentFormat.Warc or DocumentFormat.Tar or DocumentFormat.Zip or DocumentFormat.Epub)
            yield return $"main text by {MainText.Finder}";
        // Pages and members are looked at whatever the source's encoding is.
        if (DocumentFormats.Of(file.Format) is var format
            && (file.Reading.TextEncoding is null || format.HasMembers || file.Format is DocumentFormat.Html or DocumentFormat.Xml)
            && (format.IsText ? file.Packing == Packing.None ? survey.IsUnmarkedUtf16 : UnmarkedUtf16.IsIn(file) : format.HasMembers))
            yield return "utf-16 2: also without a mark";
        if (file.IsValidation)
            yield return "validation";
        if (file.Reading.AnswerField is { } answer)
            yield return $"answer-field {answer}";
        if (file.Reading.ChatName is { } template)
            yield return $"chat-template {template}";
        if ((isJson || file.Format is DocumentFormat.Text or DocumentFormat.TabSeparated or DocumentFormat.Csv or DocumentFormat.SourceCode
                or DocumentFormat.Tar or DocumentFormat.Zip)
            && file.Reading.Encoding != Reading.Default.Encoding)
            yield return $"encoding {file.Reading.Encoding}";
        // The first versions read text without a charset in the source's encoding.
        if (file.Format == DocumentFormat.Warc && file.Reading.Encoding != Reading.Default.Encoding)
            yield return "warc 2: text without a charset is UTF-8, whatever the encoding is";
        if (file.Format == DocumentFormat.Warc)
            yield return "warc 3: charsets of heads are those of the web; what follows a body of gzip is passed over";
    }

    private static byte[] HashOf(SourceFile file, LineSurvey survey, PackingSurvey packing)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var stream = file.OpenRead();
        var buffer = new byte[1 << 16];
        for (var isFirst = true; stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) is var count and > 0; isFirst = false)
        {
            hash.AppendData(buffer, 0, count);
            if (isFirst)
                survey.Begin(buffer.AsSpan(0, count));
            if (file is { Format: DocumentFormat.Text or DocumentFormat.Xml, Packing: Packing.None })
                survey.Add(buffer.AsSpan(0, count));
            packing.Add(buffer.AsSpan(0, count));
        }
        return hash.GetHashAndReset();
    }

    // Length first, so that no two lists of names run together into the same bytes.
    private static void AppendText(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        AppendNumber(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    private static void AppendNumber(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
