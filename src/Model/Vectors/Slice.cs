using System.Runtime.InteropServices;

namespace Elastic.Model.Vectors;

/// <summary>Where the vector may be cut for the devices that update it.</summary>
public enum UpdateGranularity
{
    /// <summary>At any tile: each element is updated by itself.</summary>
    Tiles,

    /// <summary>At tiles that cut no hidden matrix: each of them is updated as a whole.</summary>
    WholeMatrices,
}

/// <summary>A range of whole tiles of the flat vector, which one device sums and updates.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Slice(int FirstTile, int Tiles)
{
    /// <summary>The first element.</summary>
    public long First => (long)FirstTile * FlatLayout.Tile;

    /// <summary>Elements.</summary>
    public long Count => (long)Tiles * FlatLayout.Tile;

    /// <summary>
    /// Divides the tiles of <paramref name="layout"/> among <paramref name="devices"/>, as evenly as possible; some slices are empty
    /// where there are fewer places to cut than devices.
    /// </summary>
    public static IReadOnlyList<Slice> Split(FlatLayout layout, int devices, UpdateGranularity granularity = UpdateGranularity.Tiles)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        var slices = new Slice[devices];
        for (var i = 0; i < devices; i++)
        {
            var first = Border(layout, i, devices, granularity);
            slices[i] = new Slice(first, Border(layout, i + 1, devices, granularity) - first);
        }
        return slices;
    }

    /// <summary>
    /// Cuts the slice into pieces of so many elements; of <see cref="UpdateGranularity.WholeMatrices"/> each ends with a matrix, and may be
    /// longer.
    /// </summary>
    public IEnumerable<Slice> Pieces(FlatLayout layout, int elements, UpdateGranularity granularity)
    {
        ArgumentNullException.ThrowIfNull(layout);
        var end = FirstTile + Tiles;
        for (var first = FirstTile; first < end;)
        {
            var next = Math.Min(end, first + elements / FlatLayout.Tile);
            while (next < end && granularity == UpdateGranularity.WholeMatrices && CutsMatrix(layout, (long)next * FlatLayout.Tile))
                next++;
            yield return new Slice(first, next - first);
            first = next;
        }
    }

    private static int Border(FlatLayout layout, int index, int devices, UpdateGranularity granularity)
    {
        var tile = (int)((long)layout.Tiles * index / devices);
        // A cut at the vector's end cuts no matrix.
        while (granularity == UpdateGranularity.WholeMatrices && CutsMatrix(layout, (long)tile * FlatLayout.Tile))
            tile++;
        return tile;
    }

    private static bool CutsMatrix(FlatLayout layout, long at)
        => layout.Segments.Any(s => s.Parameter.IsTrained && s.Parameter.HiddenMatrices > 0 && s.Offset < at && at < s.End);
}
