using System.Runtime.InteropServices;

namespace Elastic.Model.Vectors;

/// <summary>A run of whole tiles of the flat vector: what one device sums and updates.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Slice(int FirstTile, int Tiles)
{
    /// <summary>The first element.</summary>
    public long First => (long)FirstTile * FlatLayout.Tile;

    /// <summary>Elements.</summary>
    public long Count => (long)Tiles * FlatLayout.Tile;

    /// <summary>
    /// Shares the tiles of <paramref name="layout"/> among <paramref name="devices"/>, as evenly as they go; some slices are empty
    /// where there are fewer tiles than devices.
    /// </summary>
    public static IReadOnlyList<Slice> Split(FlatLayout layout, int devices)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        var slices = new Slice[devices];
        for (var i = 0; i < devices; i++)
        {
            var first = (int)((long)layout.Tiles * i / devices);
            slices[i] = new Slice(first, (int)((long)layout.Tiles * (i + 1) / devices) - first);
        }
        return slices;
    }
}
