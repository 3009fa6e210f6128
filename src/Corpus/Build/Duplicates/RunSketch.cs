using System.Buffers.Binary;

namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// A sketch of runs of characters of a text that may go: the length of the text, and of each run its hash and where it begins and ends, in
/// UTF-16 characters.
/// </summary>
internal static class RunSketch
{
    private const int RunBytes = sizeof(ulong) + 2 * sizeof(int);

    /// <summary>The sketch; empty where there is no run.</summary>
    /// <param name="length">UTF-16 characters of the text.</param>
    public static byte[] Of(int length, IReadOnlyList<(ulong Hash, int From, int To)> runs)
    {
        if (runs.Count == 0)
            return [];
        var sketch = new byte[sizeof(int) + runs.Count * RunBytes];
        BinaryPrimitives.WriteInt32LittleEndian(sketch, length);
        foreach (var (i, (hash, from, to)) in runs.Index())
        {
            var entry = sketch.AsSpan(sizeof(int) + i * RunBytes);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, hash);
            BinaryPrimitives.WriteInt32LittleEndian(entry[8..], from);
            BinaryPrimitives.WriteInt32LittleEndian(entry[12..], to);
        }
        return sketch;
    }

    /// <inheritdoc cref="SketchingStage.IsSketch"/>
    public static bool Is(ReadOnlySpan<byte> sketch, int characters)
    {
        if (sketch.Length < sizeof(int) + RunBytes || (sketch.Length - sizeof(int)) % RunBytes != 0 || LengthOf(sketch) != characters)
            return false;
        for (var at = sizeof(int); at < sketch.Length; at += RunBytes)
        {
            var (_, from, to) = RunAt(sketch, at);
            if (from < 0 || from > to || to > characters)
                return false;
        }
        return true;
    }

    /// <summary>UTF-16 characters of the text.</summary>
    public static int LengthOf(ReadOnlySpan<byte> sketch) => BinaryPrimitives.ReadInt32LittleEndian(sketch);

    /// <summary>The runs, in the order in which they were given.</summary>
    public static IEnumerable<(ulong Hash, int From, int To)> RunsOf(byte[] sketch)
    {
        for (var at = sizeof(int); at < sketch.Length; at += RunBytes)
            yield return RunAt(sketch, at);
    }

    private static (ulong Hash, int From, int To) RunAt(ReadOnlySpan<byte> sketch, int at) => (
        BinaryPrimitives.ReadUInt64LittleEndian(sketch[at..]), BinaryPrimitives.ReadInt32LittleEndian(sketch[(at + 8)..]),
        BinaryPrimitives.ReadInt32LittleEndian(sketch[(at + 12)..]));
}
