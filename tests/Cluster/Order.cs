using Elastic.Testing;

[assembly: TestCollectionOrderer(typeof(Elastic.Cluster.Tests.Order))]

namespace Elastic.Cluster.Tests;

/// <summary>
/// Three classes run at once; these take longest, those of several tests among them. The emulated processor of OneArithmeticScenarios is
/// slow to join beside a crowd: it comes after those.
/// </summary>
public sealed class Order() : FirstCollections(
    nameof(KillScenarios),
    nameof(UnreachableScenarios),
    nameof(SameNameScenarios),
    nameof(RandomKillsScenarios),
    nameof(AllAtOnceScenarios),
    nameof(SameFingerprintScenarios),
    nameof(SleepingWorkerScenarios),
    nameof(LeavingScenarios),
    nameof(RestoredJournalScenarios),
    nameof(OneArithmeticScenarios),
    nameof(LyingWorkerScenarios),
    nameof(HostileScenarios),
    nameof(BenchScenarios),
    nameof(RefusalScenarios));
