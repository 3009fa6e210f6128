using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Writes one token shard, front to back; the header comes last, so that a file cut short is not a shard.</summary>
internal sealed class ShardWriter : IDisposable
{
    private readonly FileStream _file;
    private readonly Tokenizer _tokenizer;
    private readonly int _tokenWidth;
    private readonly IncrementalHash _payloadHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _page = new byte[ShardHeader.PageSize];
    private readonly List<ulong> _pageHashes = [];
    private readonly List<(long StartToken, int Bytes, int Source)> _documents = [];
    private readonly Dictionary<string, int> _sources = new(StringComparer.Ordinal);
    private int _pageLength;
    private long _payloadLength;

    /// <param name="hasMarks">More is said of some tokens (<see cref="Messages.Corpora.SampleElement"/>), which takes four bytes.</param>
    public ShardWriter(string path, Tokenizer tokenizer, bool hasMarks)
    {
        _tokenizer = tokenizer;
        _tokenWidth = hasMarks ? sizeof(int) : ShardHeader.WidthFor(tokenizer.VocabularySize);
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        _file.Write(new byte[ShardHeader.Size]);
    }

    public string FileName => Path.GetFileName(_file.Name);

    public long Tokens { get; private set; }

    public long TextBytes { get; private set; }

    private long Uncounted { get; set; }

    public void Append(TokenizedDocument document)
    {
        var from = new ShardSource(document.Source, document.Language).Text;
        if (!_sources.TryGetValue(from, out var source))
            _sources.Add(from, source = _sources.Count);
        _documents.Add((Tokens, document.ByteCount, source));
        WriteTokens(document.Tokens.Span);
        Tokens += document.Tokens.Length;
        TextBytes += document.ByteCount;
        Uncounted += document.Uncounted;
    }

    /// <summary>Writes the index, the page table and the header, and waits until the disk has stored them.</summary>
    public ShardInfo Complete()
    {
        WriteIndex();
        FlushPage();
        var table = new byte[_pageHashes.Count * sizeof(ulong)];
        for (var i = 0; i < _pageHashes.Count; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(i * sizeof(ulong)), _pageHashes[i]);
        _file.Write(table);
        var header = new ShardHeader(_tokenWidth, Tokens, _documents.Count, TextBytes, _payloadLength,
            _tokenizer.VocabularySize, _tokenizer.Id, _payloadHash.GetHashAndReset(), XxHash3.HashToUInt64(table));
        _file.Position = 0;
        _file.Write(header.ToBytes());
        _file.Flush(flushToDisk: true);
        _file.Position = 0;
        var sha256 = Digest.Of(_file);
        return new ShardInfo(FileName, sha256, Tokens, TextBytes, _documents.Count) { Uncounted = Uncounted };
    }

    public void Dispose()
    {
        _file.Dispose();
        _payloadHash.Dispose();
    }

    private void WriteTokens(ReadOnlySpan<int> tokens)
    {
        // Pages hold whole tokens: their size divides by the width, and nothing comes before the tokens.
        while (!tokens.IsEmpty)
        {
            var count = Math.Min(tokens.Length, (_page.Length - _pageLength) / _tokenWidth);
            var target = _page.AsSpan(_pageLength, count * _tokenWidth);
            if (_tokenWidth == sizeof(ushort))
                for (var i = 0; i < count; i++)
                    BinaryPrimitives.WriteUInt16LittleEndian(target[(i * 2)..], checked((ushort)tokens[i]));
            else
                for (var i = 0; i < count; i++)
                    BinaryPrimitives.WriteInt32LittleEndian(target[(i * 4)..], tokens[i]);
            tokens = tokens[count..];
            _pageLength += target.Length;
            if (_pageLength == _page.Length)
                FlushPage();
        }
    }

    private void WriteIndex()
    {
        Span<byte> entry = stackalloc byte[ShardHeader.DocumentSize];
        foreach (var (startToken, bytes, source) in _documents)
        {
            BinaryPrimitives.WriteInt64LittleEndian(entry, startToken);
            BinaryPrimitives.WriteInt32LittleEndian(entry[8..], bytes);
            BinaryPrimitives.WriteInt32LittleEndian(entry[12..], source);
            Write(entry);
        }
        WriteInt(_sources.Count);
        foreach (var name in _sources.OrderBy(s => s.Value).Select(s => Encoding.UTF8.GetBytes(s.Key)))
        {
            WriteInt(name.Length);
            Write(name);
        }
    }

    private void WriteInt(int value)
    {
        var little = BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
        Write(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in little)));
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var count = Math.Min(bytes.Length, _page.Length - _pageLength);
            bytes[..count].CopyTo(_page.AsSpan(_pageLength));
            bytes = bytes[count..];
            _pageLength += count;
            if (_pageLength == _page.Length)
                FlushPage();
        }
    }

    private void FlushPage()
    {
        if (_pageLength == 0)
            return;
        var page = _page.AsSpan(0, _pageLength);
        _pageHashes.Add(XxHash3.HashToUInt64(page));
        _payloadHash.AppendData(page);
        _file.Write(page);
        _payloadLength += _pageLength;
        _pageLength = 0;
    }
}
