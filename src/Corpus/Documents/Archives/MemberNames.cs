using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Elastic.Corpus;

/// <summary>Names of an archive's members, eight bytes each: an archive may have many.</summary>
internal static class MemberNames
{
    /// <summary>A number that two names share by chance once in 2^64.</summary>
    public static ulong HashOf(string name) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(name.AsSpan()));
}
