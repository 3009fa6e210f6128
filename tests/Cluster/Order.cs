using Elastic.Testing;

[assembly: TestCollectionOrderer(typeof(Elastic.Cluster.Tests.Order))]

namespace Elastic.Cluster.Tests;

/// <summary>Three classes run at once; these take a minute and more each.</summary>
public sealed class Order() : FirstCollections(
    nameof(SameFingerprintScenarios),
    nameof(RandomKillsScenarios),
    nameof(RefusalScenarios),
    nameof(SameNameScenarios),
    nameof(LyingWorkerScenarios),
    nameof(LeavingScenarios));
