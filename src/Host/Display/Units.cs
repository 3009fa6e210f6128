using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Host.Display;

/// <summary>Formats numbers for people.</summary>
internal static class Units
{
    /// <summary>Three significant digits with a thousands letter: 950, 12.3k, 1.64M, 10.3B.</summary>
    public static string Count(double n)
    {
        string[] letters = ["", "k", "M", "B", "T"];
        var i = 0;
        // 999.5 already reads as 1000 in three digits.
        for (; Math.Abs(n) >= 999.5 && i < letters.Length - 1; i++)
            n /= 1000;
        return i == 0 ? n.ToString("0") : n.ToString(Math.Abs(n) switch { < 9.995 => "0.00", < 99.95 => "0.0", _ => "0" }) + letters[i];
    }

    /// <summary>A number of things, e.g. 1 epoch, 40 rounds.</summary>
    public static string Many(long n, string one) => Plural.Of(n, one);

    /// <summary>A number of things with three significant digits, e.g. 12.3k tokens.</summary>
    public static string Count(double n, string one) => $"{Count(n)} {Plural.Noun(n, one)}";

    /// <summary>Nats per target, or bits per byte, e.g. 3.2104; empty where the number is not known.</summary>
    public static string Loss(double? loss) => loss is { } known ? known.ToString("0.0000", CultureInfo.InvariantCulture) : "";

    /// <summary>The two largest units: 12s, 3m 05s, 2h 07m, 4d 11h.</summary>
    public static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 59.5 } => $"{Math.Max(0, time.TotalSeconds):0}s",
        { TotalMinutes: < 60 } => $"{(int)time.TotalMinutes}m {time.Seconds:00}s",
        { TotalHours: < 24 } => $"{(int)time.TotalHours}h {time.Minutes:00}m",
        _ => $"{(int)time.TotalDays}d {time.Hours:00}h",
    };

    /// <summary>Binary units: 512 B, 1.5 MiB.</summary>
    public static string Bytes(double bytes) => ByteSize.Text(bytes);

    /// <summary>A bar of <paramref name="width"/> cells, filled to <paramref name="share"/> of it.</summary>
    public static string Bar(double share, int width)
    {
        var filled = (int)(Math.Clamp(double.IsNaN(share) ? 0 : share, 0, 1) * width);
        return new string('█', filled) + new string('░', width - filled);
    }
}
