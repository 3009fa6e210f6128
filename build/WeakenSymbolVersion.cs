using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Copies an ELF library and marks one required symbol version as weak in the copy, so that the dynamic loader only warns
/// where the C++ runtime is older (elf.h: <c>VER_FLG_WEAK</c> of an <c>Elf64_Vernaux</c>).
/// Compiled by MSBuild against netstandard2.0: no spans here.
/// </summary>
public sealed class WeakenSymbolVersion : Task
{
    private const uint VersionNeeded = 0x6ffffffe; // SHT_GNU_verneed
    private const ushort Weak = 2;                 // VER_FLG_WEAK

    /// <summary>The library as it came in its package. Never written to: build outputs are hard links to it.</summary>
    [Required]
    public string Library { get; set; }

    /// <summary>The version to weaken, e.g. "GLIBCXX_3.4.32".</summary>
    [Required]
    public string Version { get; set; }

    /// <summary>Where the copy goes. Rewritten only when it is older than the library.</summary>
    [Required]
    public string Copy { get; set; }

    /// <inheritdoc/>
    public override bool Execute()
    {
        if (File.Exists(Copy) && File.GetLastWriteTimeUtc(Copy) == File.GetLastWriteTimeUtc(Library))
            return true;
        var image = File.ReadAllBytes(Library);
        if (image.Length < 64 || image[0] != 0x7f || image[1] != 'E' || image[4] != 2 || image[5] != 1)
        {
            Log.LogError("{0} is not a 64-bit little-endian ELF library", Library);
            return false;
        }
        var weakened = Weaken(image);
        Log.LogMessage(MessageImportance.Low, "{0}: {1} entries of {2} made weak", Library, weakened, Version);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Copy)));
        // A fresh file under a temporary name: an older copy may be hard-linked into an output folder, or be in use.
        var temporary = Copy + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(temporary, image);
        File.SetLastWriteTimeUtc(temporary, File.GetLastWriteTimeUtc(Library));
        if (File.Exists(Copy))
            File.Delete(Copy);
        File.Move(temporary, Copy);
        return true;
    }

    // Elf64_Ehdr: e_shoff at 0x28, e_shentsize at 0x3a, e_shnum at 0x3c.
    // Elf64_Shdr: sh_type at 4, sh_offset at 0x18, sh_link at 0x28, sh_info (the number of entries here) at 0x2c.
    private int Weaken(byte[] image)
    {
        long sections = BitConverter.ToInt64(image, 0x28);
        int size = BitConverter.ToUInt16(image, 0x3a), count = BitConverter.ToUInt16(image, 0x3c), weakened = 0;
        for (var i = 0; i < count; i++)
        {
            var header = (int)(sections + (long)i * size);
            if (BitConverter.ToUInt32(image, header + 4) != VersionNeeded)
                continue;
            var strings = (int)BitConverter.ToInt64(
                image, (int)(sections + BitConverter.ToUInt32(image, header + 0x28) * (long)size) + 0x18);
            weakened += WeakenSection(
                image, (int)BitConverter.ToInt64(image, header + 0x18), BitConverter.ToInt32(image, header + 0x2c), strings);
        }
        return weakened;
    }

    // Elf64_Verneed: vn_cnt at 2, vn_aux at 8, vn_next at 12. Elf64_Vernaux: vna_flags at 4, vna_name at 8, vna_next at 12.
    private int WeakenSection(byte[] image, int need, int needs, int strings)
    {
        var weakened = 0;
        for (var n = 0; n < needs; n++, need += BitConverter.ToInt32(image, need + 12))
        {
            var aux = need + BitConverter.ToInt32(image, need + 8);
            for (var a = BitConverter.ToUInt16(image, need + 2); a > 0; a--, aux += BitConverter.ToInt32(image, aux + 12))
            {
                if (Text(image, strings + BitConverter.ToInt32(image, aux + 8)) != Version)
                    continue;
                image[aux + 4] |= (byte)Weak;
                weakened++;
            }
        }
        return weakened;
    }

    private static string Text(byte[] image, int at)
    {
        var end = Array.IndexOf(image, (byte)0, at);
        return Encoding.ASCII.GetString(image, at, end - at);
    }
}
