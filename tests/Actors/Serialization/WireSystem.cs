using Akka.Actor;
using Akka.Configuration;
using Elastic.Actors.Serialization;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>An ActorSystem with the serializers of hocon/akka.conf, that is in no cluster.</summary>
public sealed class WireSystem : IDisposable
{
    public WireSystem()
    {
        using var stream = typeof(ElasticSerializer).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        var own = ConfigurationFactory.ParseString("akka { actor.provider = local, loglevel = OFF, loggers = [] }");
        System = ActorSystem.Create("wire", own.WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd())));
    }

    public ActorSystem System { get; }

    public Akka.Serialization.Serialization Registry => ((ExtendedActorSystem)System).Serialization;

    public byte[] Write(object message) => Registry.FindSerializerFor(message).ToBinary(message);

    public object Read(byte[] bytes) => Registry.Deserialize(bytes, 4053, "");

    public void Dispose() => System.Dispose();
}
