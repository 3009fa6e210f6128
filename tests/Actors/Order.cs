using Elastic.Actors.Tests.Hosting;
using Elastic.Actors.Tests.Membership;
using Elastic.Actors.Tests.Nodes;
using Elastic.Actors.Tests.Runs;
using Elastic.Actors.Tests.Serialization;
using Elastic.Testing;

[assembly: TestCollectionOrderer(typeof(Elastic.Actors.Tests.Order))]

namespace Elastic.Actors.Tests;

/// <summary>Four classes run at once; these take half a minute and more each.</summary>
public sealed class Order() : FirstCollections(
    nameof(SameAnswerSpecs),
    nameof(ResumeSpecs),
    nameof(WireMessageSpecs),
    nameof(DowningSpecs),
    nameof(SeedAddressSpecs),
    nameof(RunSupervisorSpecs));
