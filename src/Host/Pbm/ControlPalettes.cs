using Elastic.Actors.Control;

namespace Elastic.Host.Pbm;

/// <summary>The palettes that a seed serves.</summary>
internal static class ControlPalettes
{
    public static IReadOnlyList<Palette> Of(IClusterControl control, TimeProvider time) =>
    [
        RunPalette.Build(control, time), NodePalette.Build(control, time), ClusterPalette.Build(control, time), LogPalette.Build(control),
        CorpusPalette.Build(control, time),
    ];
}
