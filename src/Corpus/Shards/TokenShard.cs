using System.Buffers.Binary;
using System.IO.Hashing;
using System.IO.MemoryMappedFiles;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Corpora;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Corpus;

/// <summary>A document of a shard.</summary>
/// <param name="StartToken">Its first token.</param>
/// <param name="Tokens">Its tokens, end-of-text included.</param>
/// <param name="Bytes">UTF-8 bytes of its text.</param>
/// <param name="Source">The source that it counts for.</param>
public readonly record struct ShardDocument(long StartToken, long Tokens, int Bytes, string Source);

/// <summary>
/// Reads a token shard, or one of llm.c, through a memory map, or without one. Checks each 64 KiB page when it is first read; llm.c has no
/// hashes. Thread-safe.
/// </summary>
public sealed class TokenShard : IDisposable
{
    // Null where the file is opened for each reading.
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly string _path;
    private readonly ShardHeader? _header;
    private readonly long _tokensOffset;
    private readonly int _tokenWidth;
    private readonly int _vocabulary;
    private readonly long _length;
    // True once the page has passed its check. Threads may check a page twice, with the same result.
    private readonly bool[] _checked;
    // Of a shard without a map: open from a reading on until Rest.
    private SafeFileHandle? _file;

    // Read when first asked for. Threads may read them twice, with the same result.
    private List<ShardSource>? _sources;

    private TokenShard(string path, MemoryMappedFile? map, ShardHeader? header, long tokens, long length)
    {
        (_path, _map, _header, TokenCount, _length) = (path, map, header, tokens, length);
        _vocabulary = header?.VocabularySize ?? Gpt2Merges.Count + 1;
        (_tokensOffset, _tokenWidth) = header is null ? (LlmcShard.HeaderSize, sizeof(ushort)) : (ShardHeader.Size, header.TokenWidth);
        _checked = new bool[header?.Pages ?? 0];
        _view = map?.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    /// <summary>Tokens in the file.</summary>
    public long TokenCount { get; }

    /// <summary>Documents that the file lists; 0 in a shard of llm.c.</summary>
    public int DocumentCount => checked((int)(_header?.Documents ?? 0));

    /// <summary>Id of the tokenizer.</summary>
    public string Tokenizer => _header?.Tokenizer ?? Gpt2Tokenizer.Name;

    /// <exception cref="ElasticException">The file is missing, no token shard, of another version, cut short or damaged.</exception>
    public static TokenShard Open(string path) => Open(path, isMapped: true);

    /// <summary>
    /// Opens a shard that holds no map, and between <see cref="Rest"/> and the next reading no descriptor, of which a process may have some
    /// ten thousand: to open its file takes some 10 µs, where a map that stays takes 4 and one that is made for it, with its checks, 50 and
    /// more. One thread reads it.
    /// </summary>
    /// <exception cref="ElasticException">See <see cref="Open(string)"/>; a reading throws it where the file has gone since.</exception>
    public static TokenShard OpenUnmapped(string path) => Open(path, isMapped: false);

    private static TokenShard Open(string path, bool isMapped)
    {
        if (!File.Exists(path))
            throw new ElasticException($"token shard {path} is missing: {CorpusManifest.Remedy(path)}");
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var start = new byte[Math.Min(file.Length, LlmcShard.HeaderSize)];
        file.ReadExactly(start);
        if (LlmcShard.HasMagic(start))
            return Of(file, isMapped, null, LlmcShard.ParseTokens(start, file.Length, path, CorpusManifest.Remedy(path)));
        if (start.Length < sizeof(ulong) || BinaryPrimitives.ReadUInt64LittleEndian(start) != ShardHeader.Magic)
            throw new ElasticException($"{path} is not a token shard: its first bytes are neither Elastic's nor those of llm.c");
        if (start.Length < ShardHeader.Size)
            throw Truncated(path, ShardHeader.Size, file.Length, CorpusManifest.Remedy(path));
        var header = ShardHeader.Parse(start.AsSpan(0, ShardHeader.Size), path);
        if (file.Length != header.FileLength)
            throw Truncated(path, header.FileLength, file.Length, CorpusManifest.Remedy(path));
        var shard = Of(file, isMapped, header, header.Tokens);
        try
        {
            shard.CheckPageTable();
            return shard;
        }
        catch
        {
            shard.Dispose();
            throw;
        }
    }

    /// <summary>Opens the shard that a manifest describes: block numbers follow from the manifest, and go by what the file holds.</summary>
    /// <param name="vocabulary">Tokens of the corpus's tokenizer.</param>
    /// <exception cref="ElasticException">The file is missing, damaged, or another one than the manifest describes.</exception>
    public static TokenShard Open(string path, ShardInfo info, int vocabulary)
    {
        ArgumentNullException.ThrowIfNull(info);
        var shard = Open(path);
        if (shard.TokenCount == info.Tokens && shard._vocabulary == vocabulary)
            return shard;
        shard.Dispose();
        throw ShardHeader.Contradiction(path, $"it has {shard.TokenCount} tokens of a vocabulary of {shard._vocabulary}, and the "
            + $"corpus's manifest says {info.Tokens} of {vocabulary}");
    }

    /// <summary>Blocks of <paramref name="context"/> + 1 tokens in the file; neighbours share one token.</summary>
    public int BlockCount(int context) => BlockMap.CountIn(TokenCount, context);

    /// <summary>Reads one block.</summary>
    /// <param name="into">Takes <paramref name="context"/> + 1 tokens.</param>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public void ReadBlock(int block, int context, Span<int> into)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, BlockCount(context));
        ArgumentOutOfRangeException.ThrowIfNotEqual(into.Length, context + 1);
        ReadTokens((long)block * context, into);
    }

    /// <summary>
    /// Reads a document as a pair: the prompt and an end of text, its source, then an end of text and the answer, its target. What is
    /// longer than its place is cut, and what is shorter filled up with ends of text: behind a source they begin anew, behind a target they
    /// are not counted.
    /// </summary>
    /// <param name="into">Takes <paramref name="context"/> elements of the source and one more of the target.</param>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public void ReadPair(int document, int context, Span<int> into)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(into.Length, 2 * context + 1);
        var all = new int[LengthOf(document)];
        ReadTokens(StartOf(document), all);
        var prompt = Array.FindIndex(all, e => (e & SampleElement.NotCounted) == 0) is var first and >= 0 ? first : all.Length;
        var end = SampleElement.TokenOf(all[^1]);
        Span<int> source = into[..context], target = into[context..];
        source.Fill(end);
        target.Fill(end | SampleElement.NotCounted);
        for (var i = 0; i < Math.Min(prompt, context); i++)
            source[i] = all[i] & ~SampleElement.NotCounted;
        if (prompt + 1 < context)
            source[prompt + 1] |= SampleElement.Begins;
        var answer = all.AsSpan(prompt);
        answer[..Math.Min(answer.Length, context)].CopyTo(target[1..]);
    }

    /// <summary>Reads the beginning of a document; what a short one lacks is filled with its last token, and not counted.</summary>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public void ReadDocument(int document, Span<int> into)
    {
        var tokens = into[..Math.Min(LengthOf(document), into.Length)];
        ReadTokens(StartOf(document), tokens);
        into[tokens.Length..].Fill(tokens[^1] | SampleElement.NotCounted);
    }

    /// <summary>Marks the elements at which documents begin.</summary>
    /// <param name="start">The token at the first element.</param>
    /// <exception cref="ElasticException">The file is damaged, or does not say where its documents begin.</exception>
    public void MarkDocuments(long start, Span<int> elements)
    {
        // The first document that begins at the start or behind it.
        var (low, high) = (0, DocumentCount);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (StartOf(middle) < start)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < DocumentCount && StartOf(low) - start is var at && at < elements.Length; low++)
            elements[(int)at] |= SampleElement.Begins;
    }

    /// <summary>Reads as many tokens as <paramref name="into"/> takes, from token <paramref name="start"/> on.</summary>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public void ReadTokens(long start, Span<int> into)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, TokenCount - into.Length);
        using var bytes = BytesAt(_tokensOffset + start * _tokenWidth, checked(into.Length * _tokenWidth));
        CheckPages(bytes.Offset, bytes.Span.Length);
        if (_tokenWidth == sizeof(ushort))
            for (var i = 0; i < into.Length; i++)
                into[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes.Span[(i * 2)..]);
        else
            for (var i = 0; i < into.Length; i++)
                into[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[(i * 4)..]);
        // A token is an index into the embedding.
        foreach (var token in into)
            if (!SampleElement.IsValid(token, _vocabulary))
                throw ShardHeader.Contradiction(_path, $"it holds the token {token} of a vocabulary of {_vocabulary}");
    }

    /// <summary>The sources of consecutive tokens: each document's source and language, and how many of its tokens are there.</summary>
    /// <exception cref="ElasticException">The file is damaged there, or does not say where its documents begin.</exception>
    public IEnumerable<(string Source, string? Language, int Tokens)> SourcesOf(long start, int tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, TokenCount - tokens);
        var end = start + tokens;
        // The last document that begins at the start or before it.
        var (low, high) = (0, DocumentCount - 1);
        while (low < high)
        {
            var middle = low + (high - low + 1) / 2;
            if (StartOf(middle) <= start)
                low = middle;
            else
                high = middle - 1;
        }
        for (var document = low; start < end; document++)
        {
            var next = Math.Min(end, document + 1 < DocumentCount ? StartOf(document + 1) : end);
            if (next > start)
            {
                var (source, language) = SourceOf(document);
                yield return (source, language, (int)(next - start));
            }
            start = Math.Max(start, next);
        }
    }

    /// <summary>The source of a document, and its language where that is known.</summary>
    /// <exception cref="ElasticException">The file is damaged there, or does not say where its documents begin.</exception>
    public (string Name, string? Language) SourceOf(int document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(document, DocumentCount);
        var sources = _sources ??= Sources();
        using var entry = BytesAt(_header!.DocumentsOffset + (long)document * ShardHeader.DocumentSize, ShardHeader.DocumentSize);
        CheckPages(entry.Offset, entry.Span.Length);
        var source = BinaryPrimitives.ReadInt32LittleEndian(entry.Span[12..]);
        return source >= 0 && source < sources.Count
            ? (sources[source].Name, sources[source].Language)
            : throw ShardHeader.Contradiction(_path, $"its document {document} is of source {source} of {sources.Count}");
    }

    /// <summary>The documents in order; none in a shard of llm.c, which does not list them.</summary>
    /// <exception cref="ElasticException">The file is damaged there.</exception>
    public IReadOnlyList<ShardDocument> Documents()
    {
        if (_header is null)
            return [];
        using var bytes = BytesAt(_header.DocumentsOffset, checked((int)(_header.PagesOffset - _header.DocumentsOffset)));
        CheckPages(bytes.Offset, bytes.Span.Length);
        var sources = ReadSources(bytes.Span[(int)(_header.SourcesOffset - _header.DocumentsOffset)..]);
        var documents = new ShardDocument[_header.Documents];
        var end = TokenCount;
        for (var i = documents.Length - 1; i >= 0; i--)
        {
            var entry = bytes.Span.Slice(i * ShardHeader.DocumentSize, ShardHeader.DocumentSize);
            var start = BinaryPrimitives.ReadInt64LittleEndian(entry);
            var length = BinaryPrimitives.ReadInt32LittleEndian(entry[8..]);
            var source = BinaryPrimitives.ReadInt32LittleEndian(entry[12..]);
            if (start < 0 || start > end || length < 0 || source < 0 || source >= sources.Count)
                throw ShardHeader.Contradiction(_path, $"its document {i} begins at token {start}, has {length} bytes and source {source}");
            documents[i] = new ShardDocument(start, end - start, length, sources[source].Name);
            end = start;
        }
        return documents;
    }

    /// <summary>Readers of other threads finish their block first; later ones get an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        _view?.Dispose();
        _map?.Dispose();
        Rest();
    }

    /// <summary>Closes the file of a shard without a map, until it is read again. Not while another thread reads it.</summary>
    public void Rest()
    {
        _file?.Dispose();
        _file = null;
    }

    internal static ElasticException Truncated(string path, long expected, long actual, string remedy) =>
        new($"{path} is {(actual < expected ? "cut short" : "too long")}: expected {expected} bytes, found {actual}; {remedy}");

    internal static ElasticException Damaged(string path, long from, long to) =>
        new($"{path} is damaged: bytes {from} to {to - 1} do not match their hash; delete the corpus folder and build it again");

    private static TokenShard Of(FileStream file, bool isMapped, ShardHeader? header, long tokens) => new(
        file.Name, isMapped ? MemoryMappedFile.CreateFromFile(file.Name, FileMode.Open, null, 0, MemoryMappedFileAccess.Read) : null,
        header, tokens, file.Length);

    private List<ShardSource> Sources()
    {
        using var bytes = BytesAt(_header!.SourcesOffset, checked((int)(_header.PagesOffset - _header.SourcesOffset)));
        CheckPages(bytes.Offset, bytes.Span.Length);
        return ReadSources(bytes.Span);
    }

    private List<ShardSource> ReadSources(ReadOnlySpan<byte> bytes)
    {
        var sources = new List<ShardSource>();
        var count = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        for (var at = sizeof(int); sources.Count < count;)
        {
            var length = bytes.Length - at < sizeof(int) ? -1 : BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);
            if (length < 0 || length > bytes.Length - at - sizeof(int))
                throw ShardHeader.Contradiction(_path, $"it names {count} sources, and has room for {sources.Count}");
            sources.Add(ShardSource.Parse(Encoding.UTF8.GetString(bytes.Slice(at + sizeof(int), length))));
            at += sizeof(int) + length;
        }
        return sources;
    }

    private long StartOf(int document)
    {
        using var bytes = BytesAt(_header!.DocumentsOffset + (long)document * ShardHeader.DocumentSize, sizeof(long));
        CheckPages(bytes.Offset, bytes.Span.Length);
        var start = BinaryPrimitives.ReadInt64LittleEndian(bytes.Span);
        return start >= 0 && start <= TokenCount
            ? start
            : throw ShardHeader.Contradiction(_path, $"its document {document} begins at token {start} of {TokenCount}");
    }

    // Tokens of a document. One document is far shorter than a shard.
    private int LengthOf(int document)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(document, DocumentCount);
        var length = (document + 1 < DocumentCount ? StartOf(document + 1) : TokenCount) - StartOf(document);
        return length is >= 1 and <= int.MaxValue
            ? (int)length
            : throw ShardHeader.Contradiction(_path, $"its document {document} has {length} tokens");
    }

    private void CheckPageTable()
    {
        using var table = BytesAt(_header!.PagesOffset, checked((int)(_header.FileLength - _header.PagesOffset)));
        if (XxHash3.HashToUInt64(table.Span) != _header.PageTableHash)
            throw Damaged(_path, _header.PagesOffset, _header.FileLength);
    }

    private void CheckPages(long offset, int length)
    {
        if (_header is null || length == 0)
            return;
        var first = (offset - ShardHeader.Size) / ShardHeader.PageSize;
        var last = (offset + length - 1 - ShardHeader.Size) / ShardHeader.PageSize;
        for (var page = first; page <= last; page++)
            if (!Volatile.Read(ref _checked[page]))
                CheckPage(page, _header);
    }

    private void CheckPage(long page, ShardHeader header)
    {
        var from = ShardHeader.Size + page * ShardHeader.PageSize;
        var to = Math.Min(from + ShardHeader.PageSize, header.PagesOffset);
        using var bytes = BytesAt(from, (int)(to - from));
        using var expected = BytesAt(header.PagesOffset + page * sizeof(ulong), sizeof(ulong));
        if (XxHash3.HashToUInt64(bytes.Span) != BinaryPrimitives.ReadUInt64LittleEndian(expected.Span))
            throw Damaged(_path, from, to);
        Volatile.Write(ref _checked[page], true);
    }

    // Outside of the file there is other memory, or none: reading it ends the process.
    private ShardBytes BytesAt(long offset, int length)
    {
        if (offset < 0 || length < 0 || offset > _length - length)
            throw new InvariantException($"{_path} has {_length} bytes, and {length} bytes from {offset} on were to be read");
        return _view is null ? new ShardBytes(Read(offset, length), offset) : new ShardBytes(_view, offset, length);
    }

    private byte[] Read(long offset, int length)
    {
        var bytes = new byte[length];
        try
        {
            var file = _file ??= File.OpenHandle(_path);
            for (var read = 0; read < length;)
                read += RandomAccess.Read(file, bytes.AsSpan(read), offset + read) is var count and > 0 ? count
                    : throw Truncated(_path, _length, RandomAccess.GetLength(file), CorpusManifest.Remedy(_path));
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"token shard {_path} cannot be read ({e.Message.TrimEnd('.')}): {CorpusManifest.Remedy(_path)}", e);
        }
    }
}
