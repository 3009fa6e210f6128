using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>A node without devices, for tests of what it decides.</summary>
internal static class NodeSamples
{
    public static NodeCoordinator Node() => new(new NodeFacts
    {
        Id = A,
        Incarnation = "1",
        Address = "a:7000",
        Endpoint = "a:7001",
        Seed = false,
        Version = "0.2",
        Arithmetic = "cpu 2",
    });
}
