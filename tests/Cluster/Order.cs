using Elastic.Testing;

[assembly: TestCollectionOrderer(typeof(Elastic.Cluster.Tests.Order))]

namespace Elastic.Cluster.Tests;

/// <summary>Three classes run at once; these take longest, those of several tests among them.</summary>
public sealed class Order() : FirstCollections(
    nameof(OneArithmeticScenarios),
    nameof(KillScenarios),
    nameof(UnreachableScenarios),
    nameof(SameNameScenarios),
    nameof(HostileScenarios),
    nameof(LeavingScenarios),
    nameof(SleepingWorkerScenarios),
    nameof(RefusalScenarios),
    nameof(RestoredJournalScenarios),
    nameof(LyingWorkerScenarios),
    nameof(RandomKillsScenarios),
    nameof(AllAtOnceScenarios),
    nameof(BenchScenarios),
    nameof(SameFingerprintScenarios));
