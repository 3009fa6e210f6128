using Elastic.Messages.Vectors;
using Elastic.Model.Optimization;
using Elastic.Model.Training;

namespace Elastic.Model.Vectors;

/// <summary>
/// Vectors of a replica that only its updates read (Rajbhandari et al. 2021, "ZeRO-Infinity", section 5.1), which therefore lie in files
/// and are in memory piece by piece: the moments, and in 16 bits, where products read the working copy, the parameters.
/// </summary>
/// <param name="Folder">Where the files are.</param>
/// <param name="Vectors">Their names.</param>
public sealed record FileOffload(string Folder, IReadOnlyList<string> Vectors)
{
    /// <summary>Elements of each vector that an update has in memory at a time.</summary>
    public const int PieceElements = 16 * FlatLayout.Tile;

    /// <summary>The vectors that lie in files, of a replica that trains with this optimizer in this precision.</summary>
    public static FileOffload Of(string folder, IOptimizer optimizer, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(precision);
        return new FileOffload(folder, [.. optimizer.Vectors, .. precision.IsNarrow ? [VectorSet.Parameters] : Array.Empty<string>()]);
    }
}
