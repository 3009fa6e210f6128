namespace Elastic.Simulation;

/// <summary>What goes wrong in a world.</summary>
/// <param name="Seconds">How long accidents happen, in virtual time.</param>
/// <param name="Gentle">No node goes while it has the only copy of something committed.</param>
/// <param name="LosesBlobs">Disks lose blobs, too.</param>
/// <param name="Liar">One node computes wrongly, from the beginning; three honest nodes are always there.</param>
/// <param name="HandsOver">Runs are paused or stopped all the time, and a liar lies in what it hands over.</param>
/// <param name="Changes">People change settings of the run all the time.</param>
/// <param name="Walled">Seeds have no devices, and workers reach seeds only.</param>
/// <param name="Devices">Devices of nodes come, go, die and hang all the time.</param>
public sealed record Accidents(
    double Seconds, bool Gentle = false, bool LosesBlobs = false, bool Liar = false, bool HandsOver = false, bool Walled = false,
    bool Devices = false, bool Changes = false);
