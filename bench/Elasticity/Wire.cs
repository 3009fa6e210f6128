using Akka.Actor;
using Elastic.Actors.Serialization;

namespace Elastic.Bench.Elasticity;

/// <summary>The serializer of the cluster, and the actor system that it wants.</summary>
internal sealed class Wire : IDisposable
{
    private readonly ActorSystem _system = ActorSystem.Create("bench", "akka { loglevel = OFF, stdout-loglevel = OFF }");

    public Wire() => Serializer = new ElasticSerializer((ExtendedActorSystem)_system);

    public ElasticSerializer Serializer { get; }

    public void Dispose() => _system.Dispose();
}
