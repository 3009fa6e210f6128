using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

//        0  header, 256 bytes, the field offsets below
//      256  payload: tokens (u16, or i32 with what SampleElement says of them)
//                    document index: start token (i64), text bytes (i32), source (i32) per document
//                    source names: count (i32), then length (i32) and UTF-8 of each
//           page table: XxHash3 (u64) of each 64 KiB of the payload, the last page shorter
//
// The hashes show a flipped byte anywhere: the header carries its own hash and the page table's, and the table those of the payload.

/// <summary>The header of a token shard, whose file has the format above, all numbers little-endian.</summary>
internal sealed record ShardHeader(
    int TokenWidth, long Tokens, long Documents, long TextBytes, long PayloadLength, int VocabularySize, string Tokenizer,
    byte[] PayloadSha256, ulong PageTableHash)
{
    public const int Size = 256;
    public const int PageSize = 64 << 10;
    public const int DocumentSize = 16;
    public const ulong Magic = 0x534B_4F54_5341_4C45;   // "ELASTOKS"
    private const int Version = 1;
    private const int MaxTokenizerBytes = 63;

    // Offsets of the fields.
    private const int VersionAt = 8, WidthAt = 12, TokensAt = 16, DocumentsAt = 24, TextBytesAt = 32, PayloadLengthAt = 40;
    private const int VocabularyAt = 48, PageSizeAt = 52, ShaAt = 56, TokenizerAt = 88, TableHashAt = 152, HashAt = 160;

    public long DocumentsOffset => Size + Tokens * TokenWidth;

    public long SourcesOffset => DocumentsOffset + Documents * DocumentSize;

    public long PagesOffset => Size + PayloadLength;

    public long Pages => (PayloadLength + PageSize - 1) / PageSize;

    public long FileLength => PagesOffset + Pages * sizeof(ulong);

    public static int WidthFor(int vocabularySize) => vocabularySize <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(uint);

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        WriteInt(VersionAt, Version);
        WriteInt(WidthAt, TokenWidth);
        WriteLong(TokensAt, Tokens);
        WriteLong(DocumentsAt, Documents);
        WriteLong(TextBytesAt, TextBytes);
        WriteLong(PayloadLengthAt, PayloadLength);
        WriteInt(VocabularyAt, VocabularySize);
        WriteInt(PageSizeAt, PageSize);
        PayloadSha256.CopyTo(bytes, ShaAt);
        bytes[TokenizerAt] = checked((byte)Encoding.UTF8.GetBytes(Tokenizer, bytes.AsSpan(TokenizerAt + 1, MaxTokenizerBytes)));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(TableHashAt), PageTableHash);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(HashAt), XxHash3.HashToUInt64(bytes.AsSpan(0, HashAt)));
        return bytes;

        void WriteInt(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);
        void WriteLong(int at, long value) => BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at), value);
    }

    /// <param name="bytes">The first <see cref="Size"/> bytes of the file.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="ElasticException">Another version, or damaged.</exception>
    public static ShardHeader Parse(ReadOnlySpan<byte> bytes, string path)
    {
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[VersionAt..]);
        if (version != Version)
            throw new ElasticException(
                $"{path} is a token shard of version {version}, this program reads {Version}: {CorpusManifest.Remedy(path)}");
        var isWhole = BinaryPrimitives.ReadUInt64LittleEndian(bytes[HashAt..]) == XxHash3.HashToUInt64(bytes[..HashAt]);
        if (!isWhole || bytes[(HashAt + sizeof(ulong))..].ContainsAnyExcept((byte)0))
            throw TokenShard.Damaged(path, 0, Size);
        var header = new ShardHeader(
            TokenWidth: BinaryPrimitives.ReadInt32LittleEndian(bytes[WidthAt..]),
            Tokens: BinaryPrimitives.ReadInt64LittleEndian(bytes[TokensAt..]),
            Documents: BinaryPrimitives.ReadInt64LittleEndian(bytes[DocumentsAt..]),
            TextBytes: BinaryPrimitives.ReadInt64LittleEndian(bytes[TextBytesAt..]),
            PayloadLength: BinaryPrimitives.ReadInt64LittleEndian(bytes[PayloadLengthAt..]),
            VocabularySize: BinaryPrimitives.ReadInt32LittleEndian(bytes[VocabularyAt..]),
            Tokenizer: Encoding.UTF8.GetString(bytes.Slice(TokenizerAt + 1, Math.Min(bytes[TokenizerAt], (byte)MaxTokenizerBytes))),
            PayloadSha256: bytes.Slice(ShaAt, Digest.Length).ToArray(),
            PageTableHash: BinaryPrimitives.ReadUInt64LittleEndian(bytes[TableHashAt..]));
        return header.Problem() is { } problem ? throw Contradiction(path, problem) : header;
    }

    /// <summary>Its hashes are right, and it still cannot be: whoever wrote it meant it so, or is no Elastic.</summary>
    public static ElasticException Contradiction(string path, string problem) =>
        new($"{path} is no token shard: {problem}; {CorpusManifest.Remedy(path)}");

    // The hashes are of the file's own contents, so they prove nothing about numbers that point into the file. After this check
    // no sum of them overflows, and no offset lies outside of the payload.
    private string? Problem()
    {
        if (TokenWidth is not (sizeof(ushort) or sizeof(int)))
            return $"its tokens have {TokenWidth} bytes, not 2 or 4";
        if (VocabularySize is < 1 or > Messages.Settings.ModelSettings.MostVocabulary || TokenWidth < WidthFor(VocabularySize))
            return $"its tokens of {TokenWidth} bytes are of a vocabulary of {VocabularySize}";
        if (Tokens is < 0 or > ShardInfo.MostTokens || Documents is < 0 or > ShardInfo.MostTokens || TextBytes < 0)
            return $"it counts {Tokens} tokens, {Documents} documents and {TextBytes} bytes of text";
        // What follows the tokens is read as one piece.
        return PayloadLength - Tokens * TokenWidth - Documents * DocumentSize is < sizeof(int) or > int.MaxValue
            || PagesOffset - DocumentsOffset > int.MaxValue
            ? $"its payload of {PayloadLength} bytes does not hold {Tokens} tokens and {Documents} documents" : null;
    }
}
