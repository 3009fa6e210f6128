using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests;

/// <summary>Runs something once for each kind of lanes.</summary>
internal static class AllKinds
{
    /// <summary>The result must have the same bytes for all of them. Returns it.</summary>
    public static T[] Same<T>(Func<T[]> run)
        where T : unmanaged
    {
        T[]? first = null;
        foreach (var kind in LaneDispatch.Supported)
        {
            LaneDispatch.Force(kind);
            try
            {
                var result = run();
                first ??= result;
                ReadOnlySpan<byte> expected = MemoryMarshal.AsBytes<T>(first), actual = MemoryMarshal.AsBytes<T>(result);
                Assert.True(
                    expected.SequenceEqual(actual), $"{kind} differs at {expected.CommonPrefixLength(actual)} of {expected.Length}");
            }
            finally
            {
                LaneDispatch.Force(null);
            }
        }
        return first!;
    }
}
