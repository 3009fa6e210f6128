using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Turns <c>corpus.sources</c> into files, in an order that does not depend on the file system.</summary>
public static class CorpusSources
{
    /// <summary>The files of <paramref name="sources"/>, read by default settings.</summary>
    /// <exception cref="ElasticException">A source is missing, not supported, or holds no supported file.</exception>
    public static IReadOnlyList<SourceFile> Resolve(IReadOnlyList<string> sources) =>
        Find(CorpusSettings.Defaults with { Sources = sources }).Files;

    /// <summary>
    /// The files of <c>corpus.sources</c>, ordered by name, and those of <c>corpus.validation</c> behind them; the default corpus where the
    /// former is empty.
    /// </summary>
    /// <exception cref="ElasticException">A source is missing, not supported, or holds no supported file.</exception>
    /// <param name="cancel">Ends the search.</param>
    public static SourceSet Find(CorpusSettings settings, CancellationToken cancel = default) =>
        Find(settings, chat: null, cancel);

    /// <inheritdoc cref="Find(CorpusSettings, CancellationToken)"/>
    /// <param name="chat">The template of <c>corpus.chat-template</c> = tokenizer; null where it is in the tokenizer's folder.</param>
    public static SourceSet Find(CorpusSettings settings, ChatFormat? chat, CancellationToken cancel = default) =>
        Find(settings, allFormats: false, rejects: null, chat, cancel);

    /// <param name="allFormats">
    /// Folders are searched for all formats, and not only for those that were always read: more of them would make another corpus of the
    /// same folder.
    /// </param>
    /// <param name="rejects">Takes a line for each file and folder that cannot be read; null where the first of them is an error.</param>
    internal static SourceSet Find(
        CorpusSettings settings, bool allFormats, ICollection<string>? rejects, CancellationToken cancel) =>
        Find(settings, allFormats, rejects, chat: null, cancel);

    private static SourceSet Find(
        CorpusSettings settings, bool allFormats, ICollection<string>? rejects, ChatFormat? chat, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var passedOver = new PassedOver();
        var search = new FolderSearch(
            new NamePatterns(settings.Include), new NamePatterns(settings.Exclude), passedOver, allFormats, rejects, cancel);
        var places = new FilePlaces();
        var files = settings.Sources.Count == 0 ? [.. DefaultCorpus.Find()] : Ordered(settings.Sources, search, places);
        if (rejects is not null)
            files.RemoveAll(f => IsUnreadable(f with { Reading = f.Reading with { PassesOverRejects = true } }, rejects, cancel));
        var validation = Ordered(settings.Validation, search, places, isValidation: true)
            .ConvertAll(f => f with { IsValidation = true });
        if (validation.Count > 0)                                             // one file of a folder that is trained on
        {
            var heldOut = validation.Select(places.Of).ToHashSet(FilePlaces.Comparer);
            files.RemoveAll(f => heldOut.Contains(places.Of(f)));
        }
        files.AddRange(validation);
        return Checked(files, settings, places, chat, passedOver, cancel);
    }

    private static bool IsUnreadable(SourceFile file, ICollection<string> rejects, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        try
        {
            _ = file.Length;
            return false;
        }
        catch (RejectedFileException e)
        {
            rejects.Add(e.Message);
            return true;
        }
    }

    // Files of the same name keep the order of their sources (OrderBy is stable); a file named twice is read once. Of two links to it in a
    // source the first by name is read. Names of one source that differ by case alone are of two files, as its file system says.
    private static List<SourceFile> Ordered(
        IReadOnlyList<string> sources, FolderSearch search, FilePlaces places, bool isValidation = false)
    {
        var (files, known) = (new List<SourceFile>(), new HashSet<string>(FilePlaces.Comparer));
        foreach (var source in sources)
        {
            var others = Expand(source, search, isValidation).Select(f => (File: f, Place: places.Of(f)))
                .Where(f => !known.Contains(f.Place)).OrderBy(f => f.File.Name, StringComparer.Ordinal)
                .DistinctBy(f => f.Place, StringComparer.Ordinal).ToList();
            files.AddRange(others.Select(o => o.File));
            known.UnionWith(others.Select(o => o.Place));
        }
        return [.. files.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    private static SourceSet Checked(
        List<SourceFile> files, CorpusSettings settings, FilePlaces places, ChatFormat? chat, PassedOver passedOver,
        CancellationToken cancel)
    {
        // By themselves, and not found in a folder.
        var ofSettings = settings.Sources.Concat(settings.Validation).Select(places.Of).ToHashSet(FilePlaces.Comparer);
        bool IsNamed(SourceFile file) => ofSettings.Contains(places.Of(file));
        // Folders of text hold tables, too, which are no pairs unless somebody says so.
        if (settings.AnswerField is null && files.Exists(f => f.Format != DocumentFormat.TabSeparated))
            foreach (var table in files.FindAll(f => f.Format == DocumentFormat.TabSeparated && !IsNamed(f)))
            {
                files.Remove(table);
                passedOver.Add(table.Path);
            }
        // A folder of text may hold a .bin of anything; among shards alone, one that is none is a damaged one.
        if (files.Exists(f => f.Format != DocumentFormat.LlmcShard))
            foreach (var other in files.FindAll(
                f => f.Format == DocumentFormat.LlmcShard && !IsNamed(f) && !LlmcShard.IsShard(f)))
            {
                files.Remove(other);
                passedOver.Add(other.Path);
            }
        if (files.Find(f => f.Format == DocumentFormat.LlmcShard) is { } shard
            && files.Find(f => f.Format != DocumentFormat.LlmcShard) is { } text)
            throw new ElasticException(
                $"corpus.sources mixes token shards ({shard.Path}) with text ({text.Path}): use one or the other, " +
                "and leave the rest out (corpus.exclude)");
        foreach (var _ in files.Where(f => f.Length == 0))
            passedOver.AddWithoutBytes();
        if (settings.AnswerField is not null && files.Find(f => !HoldsPairs(f.Format)) is { } plain)
            throw new ElasticException(
                $"corpus.answer-field = \"{settings.AnswerField}\": {plain.Path} has no fields; use .jsonl, .jsonl.gz, .jsonl.zst or .tsv, "
                + "and leave the rest out (corpus.exclude)");
        if (settings.AnswerField is null && files.Find(f => f.Format == DocumentFormat.TabSeparated) is { } pairs)
            throw new ElasticException(
                $"{pairs.Path} holds pairs, prompt<TAB>answer a line: set corpus.answer-field to read them, e.g. to answer (a .tsv has no "
                + "names of fields, so that any will do), or leave the file out (corpus.exclude)");
        if (settings.ChatTemplate != ChatTemplate.None && files.Find(f => f.Format != DocumentFormat.JsonLines) is { } silent)
            throw new ElasticException(
                $"corpus.chat-template = {SettingKind.Word(settings.ChatTemplate)}: {silent.Path} holds no messages; use .jsonl, .jsonl.gz "
                + "or .jsonl.zst, and leave the rest out (corpus.exclude)");
        chat ??= ChatOf(settings);
        var reading = new Reading(settings.TextField, settings.Encoding)
        {
            AnswerField = settings.AnswerField,
            Chat = chat,
            ChatName = settings.ChatTemplate switch
            {
                ChatTemplate.None => null,
                ChatTemplate.Tokenizer => $"jinja {chat!.Id}",
                var named => SettingKind.Word(named),
            },
            Exclude = settings.Exclude,
        };
        var ofBuild = reading with { IsBuilt = true };
        var built = files.Select(f => Path.GetDirectoryName(f.Path)).OfType<string>().Distinct()
            .Where(folder => BuiltText.WithFilesIn(folder) is not null).ToHashSet(StringComparer.Ordinal);
        Reading Of(SourceFile file) => built.Contains(Path.GetDirectoryName(file.Path) ?? "") ? ofBuild : reading;
        List<SourceFile> read = [.. files.Select(f => f with { Reading = Of(f) })];
        return new SourceSet(WithoutOtherJson(read, IsNamed, passedOver, cancel), passedOver);
    }

    // Folders hold .json of any kind: what is no list of records is passed over as other files are, unless somebody named it.
    private static List<SourceFile> WithoutOtherJson(
        List<SourceFile> files, Func<SourceFile, bool> isNamed, PassedOver passedOver, CancellationToken cancel)
    {
        var others = files.FindAll(f =>
        {
            cancel.ThrowIfCancellationRequested();
            return !JsonLines.AreIn(f);
        });
        if (others.Find(f => isNamed(f)) is { } named)
            throw new ElasticException($"{named.Path} {JsonLines.OtherContent}, or name other files");
        if (others.Count > 0 && others.Count == files.Count)
            throw new ElasticException($"{others[0].Path} {JsonLines.OtherContent}; the sources hold no other text: name other files");
        foreach (var other in others)
            passedOver.Add(other.Path);
        var paths = others.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        return files.FindAll(f => !paths.Contains(f.Path));
    }

    private static ChatFormat? ChatOf(CorpusSettings settings)
    {
        if (settings.ChatTemplate is ChatTemplate.None)
            return null;
        if (settings.ChatTemplate is not ChatTemplate.Tokenizer)
            return ChatFormat.Named(settings.ChatTemplate);
        const string Setting = "corpus.chat-template = tokenizer";
        if (Tokenizer.IsBuiltIn(settings.Tokenizer) || TokenizerFile.IsId(settings.Tokenizer))
            throw new ElasticException(
                $"{Setting}: the tokenizer {settings.Tokenizer} comes without a folder in which its template could be; name the folder "
                + "with corpus.tokenizer, or use plain, chatml or llama3");
        return ChatFolder.Find(settings.Tokenizer, Tokenizer.Find(settings.Tokenizer)) ?? throw new ElasticException(
            $"{Setting}: {settings.Tokenizer} has no chat template, neither in tokenizer_config.json nor as chat_template.jinja; use "
            + "plain, chatml or llama3");
    }

    // A .tsv always does, a .jsonl where corpus.answer-field names the second text.
    private static bool HoldsPairs(DocumentFormat format) => format is DocumentFormat.JsonLines or DocumentFormat.TabSeparated;

    /// <summary>True where the files are token shards already: see <see cref="LlmcCorpus"/>.</summary>
    public static bool AreTokenShards(IReadOnlyList<SourceFile> files) => files is [{ Format: DocumentFormat.LlmcShard }, ..];

    private static IReadOnlyList<SourceFile> Expand(string source, FolderSearch search, bool isValidation)
    {
        var named = isValidation ? $"corpus.validation = {source}" : $"corpus source {source}";
        var path = Path.GetFullPath(source);
        if (File.Exists(path))
        {
            return DocumentFormats.Of(path) is var (format, packing)
                ? [new SourceFile(path, Path.GetFileName(path), format.Format) { Packing = packing }]
                : throw new ElasticException(
                    $"{named} is not supported: use a file of {DocumentFormats.Endings}, or a folder of such files");
        }
        if (!Directory.Exists(path))
            throw new NotFoundException($"{named} does not exist: name a file or folder of text that does"
                + (isValidation ? ", or leave it out, and corpus.held-out decides" : ""));
        var files = search.FilesIn(path, path);
        return files.Count > 0
            ? files
            : throw new ElasticException(
                $"{named} holds no file of {search.Endings}{search.Limits}: name a folder with text");
    }
}
