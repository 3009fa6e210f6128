using System.Buffers.Binary;
using System.Text;

namespace Elastic.Torch.Native;

/// <summary>
/// Reads the dynamic symbol table of a 64-bit little-endian ELF library (System V ABI, "Symbol Table"): enough to say which symbols of
/// libtorch a shim needs, without loading the shim.
/// </summary>
internal static class ElfSymbols
{
    private const uint DynamicSymbols = 11; // SHT_DYNSYM
    private const int SymbolBytes = 24;     // sizeof(Elf64_Sym)

    /// <summary>Names of the strong symbols that <paramref name="path"/> uses and does not define.</summary>
    /// <exception cref="InvalidDataException">The file is no such library.</exception>
    public static IReadOnlyList<string> Undefined(string path)
    {
        var image = File.ReadAllBytes(path);
        if (image.Length < 64 || !image.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8))
            throw new InvalidDataException($"{path} is not a 64-bit little-endian ELF library");
        var sections = Int64(image, 0x28);
        int size = Int16(image, 0x3a), count = Int16(image, 0x3c);
        var names = new List<string>();
        for (var i = 0; i < count; i++)
        {
            var header = sections + (long)i * size;
            if (Int32(image, header + 4) != DynamicSymbols)
                continue;
            var strings = Int64(image, sections + Int32(image, header + 0x28) * size + 0x18);
            long first = Int64(image, header + 0x18), bytes = Int64(image, header + 0x20);
            for (var symbol = first; symbol < first + bytes; symbol += SymbolBytes)
            {
                // Elf64_Sym: st_name at 0, st_info (its upper half is the binding; 1 is global) at 4, st_shndx (0 is undefined) at 6.
                if (image[symbol + 4] >> 4 == 1 && Int16(image, symbol + 6) == 0)
                    names.Add(Text(image, strings + Int32(image, symbol)));
            }
        }
        return names;
    }

    /// <summary>Does a mangled name belong to libtorch (namespaces at, c10, torch)?</summary>
    public static bool IsTorch(string symbol)
        => symbol.StartsWith("_Z", StringComparison.Ordinal)
        && (symbol.Contains("N2at", StringComparison.Ordinal) || symbol.Contains("N3c10", StringComparison.Ordinal)
            || symbol.Contains("N5torch", StringComparison.Ordinal) || symbol.Contains("NK2at", StringComparison.Ordinal)
            || symbol.Contains("NK3c10", StringComparison.Ordinal) || symbol.Contains("NK5torch", StringComparison.Ordinal));

    private static long Int64(byte[] image, long at) => BinaryPrimitives.ReadInt64LittleEndian(image.AsSpan((int)at));

    private static uint Int32(byte[] image, long at) => BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan((int)at));

    private static ushort Int16(byte[] image, long at) => BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan((int)at));

    private static string Text(byte[] image, long at)
    {
        var rest = image.AsSpan((int)at);
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }
}
