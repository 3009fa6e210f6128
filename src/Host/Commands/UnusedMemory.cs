namespace Elastic.Host.Commands;

/// <summary>Memory that a phase of a command has left behind.</summary>
internal static class UnusedMemory
{
    /// <summary>
    /// Gives it back to the system. A collection that runs by itself leaves the pages to the heap, for a load that goes on; but what reads
    /// text, what makes tokens and what writes tables come one after the other, and each would add its own to the pages of those before.
    /// </summary>
    public static void Return() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
}
