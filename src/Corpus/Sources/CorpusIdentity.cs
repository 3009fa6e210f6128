using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>Names a built corpus by everything that decides its bytes, so that it is built once and found again.</summary>
public static class CorpusIdentity
{
    /// <summary>Raised with every change to how documents are read, tokenized or stored.</summary>
    public const int FormatVersion = 2;

    /// <summary>Digest over format version, tokenizer, held-out share, and each file's name and content.</summary>
    public static Digest Of(IReadOnlyList<SourceFile> files, CorpusSettings settings)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(settings);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AppendNumber(hash, FormatVersion);
        AppendText(hash, settings.Tokenizer);
        AppendNumber(hash, BitConverter.DoubleToInt64Bits(settings.HeldOut));
        Span<byte> content = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var file in files)
        {
            AppendText(hash, file.Name);
            using var stream = file.OpenRead();
            SHA256.HashData(stream, content);
            hash.AppendData(content);
            if (file.Format == DocumentFormat.Parquet)
                AppendNumber(hash, ParquetFiles.ReaderVersion);
        }
        return Digest.Of(hash);
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
