using System.Reflection;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>
/// The palettes of the seed that came with this pbm: for the help where no seed answers, and for completing before one has. A seed that
/// answers knows better: it may be of another version. Written from the seed's palettes by a test, which fails where they differ.
/// </summary>
internal static class OwnCatalogue
{
    private const string Resource = "catalogue.json";

    private static readonly Lazy<IReadOnlyList<PaletteHelp>> Read = new(() =>
    {
        using var json = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resource)!;
        return PaletteHelp.Read(json);
    });

    public static IReadOnlyList<PaletteHelp> Palettes => Read.Value;
}
