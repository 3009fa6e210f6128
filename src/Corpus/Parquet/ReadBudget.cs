namespace Elastic.Corpus.Parquet;

/// <summary>
/// How much a compressed file may expand to. A few bytes can stand for gigabytes (a page that repeats one text, a million row groups that
/// name the same page), and no damaged or hostile file may cost more memory or time than its size allows.
/// </summary>
/// <param name="path">Names the file in messages.</param>
/// <param name="fileBytes">The size of the file.</param>
internal sealed class ReadBudget(string path, long fileBytes)
{
    /// <summary>Bytes that one byte of the file may become. Text compresses 3 to 10 fold, repeated records some 100 fold.</summary>
    public const int Expansion = 1024;

    /// <summary>What any file may become, whatever its size: small files of many empty records are harmless.</summary>
    public const long Least = 64 << 20;

    /// <summary>A page is in memory as a whole. Writers make pages of about 1 MiB, some a page of each row group.</summary>
    public const int LargestPage = 1 << 30;

    private long _left = Allowed(fileBytes);

    /// <summary>Notes that so many bytes are about to be read, decompressed or handed out.</summary>
    /// <exception cref="RejectedFileException">It is more than the file may become.</exception>
    public void Spend(long bytes)
    {
        _left -= bytes;
        if (_left < 0)
            throw new RejectedFileException($"{path} expands to more than {Expansion} times its {fileBytes} bytes (and more than " +
                                       $"{Least >> 20} MiB): it is damaged or was made to fill memory; leave it out");
    }

    /// <summary>Notes that so many bytes are about to be read, and says that a page of the file becomes so large at once.</summary>
    /// <exception cref="InvalidDataException">The page claims more than its compressed bytes may become.</exception>
    /// <exception cref="RejectedFileException">It is more than the file may become, or more than is held in memory.</exception>
    public void SpendPage(int bytes, int compressedBytes)
    {
        if (bytes < 0 || bytes > Allowed(compressedBytes))
            throw new InvalidDataException($"a page of {compressedBytes} bytes claims to become {(uint)bytes}");
        if (bytes > LargestPage)
            throw new RejectedFileException($"{path} has a page of {bytes} bytes, and a page is held in memory as a whole: " +
                                       $"write the file again with pages below {LargestPage >> 20} MiB, i.e. with smaller row groups");
        Spend(bytes);
    }

    private static long Allowed(long bytes) => Least + Expansion * bytes;
}
