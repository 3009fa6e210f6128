namespace Elastic.Model.Vectors;

/// <summary>
/// The axis of a parameter that devices may share between them, and into how many parts it is cut for that (Shoeybi et al. 2019, section
/// 3). Every sum along this axis, and the gradient's norm, is a fold of the sums over the parts, whether devices share it or not: so it has
/// the same bits with any number of devices.
/// </summary>
/// <param name="Axis">0 for rows, 1 for columns.</param>
/// <param name="Parts">Parts of the axis; a power of two.</param>
/// <param name="Sections">
/// Sections that are cut one by one: 3 where the axis holds queries, keys and values side by side, of which a part has a piece each.
/// </param>
public sealed record SharedAxis(int Axis, int Parts, int Sections = 1)
{
    /// <summary>Length of the parts of one section; the last is shorter where they do not come out even: rows of a vocabulary.</summary>
    public long LengthOf(long size) => (size / Sections + Parts - 1) / Parts;
}
