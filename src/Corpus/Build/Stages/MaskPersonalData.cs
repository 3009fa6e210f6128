using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Replaces addresses of people and machines, as Penedo et al. 2024 (section 3.7) do: e-mail addresses, and IPv4 addresses that are
/// public. What takes their place are addresses that are reserved for documents (RFC 2606, RFC 5737). Names and telephone numbers stay.
/// </summary>
public sealed class MaskPersonalData : Stage
{
    private const string Mail = "email@example.com", Machine = "192.0.2.1";

    private const RegexOptions Options =
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture;

    // What mail programs take in fact, not all that RFC 5322 allows.
    private static readonly Regex MailAddress = new(
        @"\b[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
        Options);

    // Any number of numbers between dots: four of them are an address, more or fewer are none.
    private static readonly Regex Dotted = new(@"[0-9]+(\.[0-9]+)+", Options);

    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<MaskPersonalDataSettings>("mask-personal-data", 1,
        $"Writes {Mail} and {Machine} in place of e-mail addresses and public IP addresses.", _ => new MaskPersonalData());

    /// <inheritdoc/>
    public override IReadOnlyList<string> Signals { get; } = ["e-mail-addresses", "ip-addresses"];

    /// <inheritdoc/>
    public override double[] Read(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var (mails, machines) = (0, 0);
        draft.Text = MailAddress.Replace(draft.Text, _ =>
        {
            mails++;
            return Mail;
        });
        draft.Text = Dotted.Replace(draft.Text, found =>
        {
            if (!IsPublic(found.Value))
                return found.Value;
            machines++;
            return Machine;
        });
        return [mails, machines];
    }

    // All but the blocks that nobody reaches from elsewhere (RFC 6890).
    private static bool IsPublic(string dotted)
    {
        var parts = dotted.Split('.')
            .Select(part => byte.TryParse(part, CultureInfo.InvariantCulture, out var value) ? value : -1).ToArray();
        if (parts.Length != 4 || parts.Contains(-1))
            return false;
        return (parts[0], parts[1], parts[2]) switch
        {
            (0 or 10 or 127 or >= 224, _, _) or (192, 168, _) or (169, 254, _) or (172, >= 16 and <= 31, _)
                or (100, >= 64 and <= 127, _) or (192, 0, 0 or 2) or (198, 18 or 19, _) or (198, 51, 100) or (203, 0, 113) => false,
            _ => true,
        };
    }
}

/// <summary>Block <c>mask-personal-data</c>: it has no settings of its own.</summary>
public sealed record MaskPersonalDataSettings : SettingsGroup;
