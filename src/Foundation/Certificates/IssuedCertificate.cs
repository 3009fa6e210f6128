using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Elastic.Foundation.Certificates;

/// <summary>A certificate that was issued, as the record beside the authority's key has it.</summary>
/// <param name="Serial">As the certificate has it, in upper-case hex.</param>
/// <param name="Role">As it stands in the certificate.</param>
/// <param name="Key">The SHA-256 of the public key: one machine's certificates have one key until the machine makes a new one.</param>
/// <param name="How">By which command, or with which token.</param>
public sealed record IssuedCertificate(
    string Serial, string Name, string Role, string Key, DateTimeOffset At, DateTimeOffset Expires, string How)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The records of a file, the oldest first.</summary>
    /// <remarks>A line that a crash cut off is skipped: its certificate was never given out.</remarks>
    internal static IReadOnlyList<IssuedCertificate> Read(string path)
    {
        if (!File.Exists(path))
            return [];
        var records = new List<IssuedCertificate>();
        foreach (var line in File.ReadLines(path))
        {
            try
            {
                if (JsonSerializer.Deserialize<IssuedCertificate>(line, Json) is { Serial: not null, Name: not null } record)
                    records.Add(record);
            }
            catch (JsonException)
            {
                // Cut off.
            }
        }

        return records;
    }

    /// <summary>Adds this record to a file; returns when it is on the disk.</summary>
    internal void AddTo(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new FileStream(path, options);
        // A line that a crash cut off ends here.
        file.Seek(-Math.Min(1, file.Length), SeekOrigin.End);
        var isWhole = file.Length == 0 || file.ReadByte() == '\n';
        file.Write(Encoding.UTF8.GetBytes($"{(isWhole ? "" : "\n")}{JsonSerializer.Serialize(this, Json)}\n"));
        file.Flush(flushToDisk: true);
    }
}
