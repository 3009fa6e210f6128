using System.Globalization;

namespace Elastic.Foundation;

/// <summary>Numbers of bytes for people.</summary>
public static class ByteSize
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>Binary units: 512 B, 1.5 MiB.</summary>
    public static string Text(double bytes)
    {
        var i = 0;
        for (; bytes >= 1024 && i < Units.Length - 1; i++)
            bytes /= 1024;
        return bytes.ToString(i == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + Units[i];
    }
}
