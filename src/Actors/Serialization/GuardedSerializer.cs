using System.IO.Compression;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch.SysMsg;
using Akka.Serialization;
using Akka.Util;

namespace Elastic.Actors.Serialization;

/// <summary>
/// One of Akka's own serializers, of which only what the cluster needs is reached: messages on a list, from the processes that may send
/// them, inside each other only so deep, and unpacked only so large. The lists are in hocon/akka.conf.
/// </summary>
public sealed class GuardedSerializer : SerializerWithStringManifest
{
    /// <summary>
    /// A selection with a write of the replicator, with a register, with the state of the shards' coordinator: nothing of Akka's is deeper.
    /// Each level is one more call on the stack, whose end no process survives.
    /// </summary>
    public const int MostNesting = 4;

    /// <summary>A frame of 128,000 bytes unpacks to a thousand times as much; what replicators tell each other here has some KiB.</summary>
    public const int MostUnpackedBytes = 4 << 20;

    private const string NoManifest = "none";

    [ThreadStatic]
    private static int _nesting;

    private readonly Gate _gate;
    private readonly string _what;
    private readonly bool _isReliable;
    private readonly HashSet<string> _anyone, _members;

    // Some ask for settings that an actor system without a cluster lacks.
    private readonly Lazy<Serializer> _inner;

    /// <param name="config">
    /// <c>identifier</c> of the serializer, its type (<c>reads</c>), what it is <c>about</c>, and which manifests <c>anyone</c> and which
    /// only <c>members</c> may send.
    /// </param>
    public GuardedSerializer(ExtendedActorSystem system, Config config) : base(system)
    {
        ArgumentNullException.ThrowIfNull(config);
        Identifier = config.GetInt("identifier");
        _gate = new Gate(system);
        _what = $"a message of Akka's {config.GetString("about")}";
        _isReliable = config.GetBoolean("reliable", false);
        _anyone = [.. config.GetStringList("anyone", [])];
        _members = [.. config.GetStringList("members", [])];
        var type = Type.GetType(config.GetString("reads"), throwOnError: true)!;
        _inner = new Lazy<Serializer>(() => (Serializer)(type.GetConstructor([typeof(ExtendedActorSystem)]) is null
            ? Activator.CreateInstance(type, system, config)
            : Activator.CreateInstance(type, system))!);
    }

    /// <inheritdoc/>
    public override int Identifier { get; }

    /// <inheritdoc/>
    public override string Manifest(object o)
    {
        var manifest = _inner.Value switch
        {
            SerializerWithStringManifest named => named.Manifest(o),
            { IncludeManifest: true } => o.GetType().TypeQualifiedName(),
            _ => "",
        };
        return IsKnown(manifest) ? manifest : throw new SerializationException($"{o.GetType()} is on no list of what other nodes take");
    }

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) => _inner.Value.ToBinary(obj);

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        try
        {
            return Read(bytes, manifest ?? "");                      // Akka passes null for none
        }
        catch (Exception e) when (OtherEnd.Current is not null)
        {
            var refusal = RefusedException.In(e) ?? _gate.Refusal(_what, e);
            // Akka ends the connection at such an exception of a message that it has promised to deliver. This one changes nothing.
            return _isReliable ? new DeathWatchNotification(ActorRefs.Nobody, false, false) : throw refusal;
        }
    }

    private object Read(byte[] bytes, string manifest)
    {
        if (!IsKnown(manifest))
            throw _gate.Refusal(_what, "it is of a kind that no node sends");
        if (!_anyone.Contains(Named(manifest)))
            _gate.DemandMember(_what);
        if (_nesting >= MostNesting)
            throw _gate.Refusal(_what, $"messages are inside each other more than {MostNesting} deep");
        DemandSmall(bytes);
        object message;
        _nesting++;
        try
        {
            message = _inner.Value is SerializerWithStringManifest named
                ? named.FromBinary(bytes, manifest)
                : _inner.Value.FromBinary(bytes, manifest.Length == 0 ? null! : Type.GetType(manifest)!);
        }
        finally
        {
            _nesting--;
        }

        if (OtherEnd.Current is { } origin && !IsOfOwnActors(message, origin))
            throw _gate.Refusal(_what, "it is about an actor of another process");
        return message;
    }

    private static string Named(string manifest) => manifest.Length == 0 ? NoManifest : manifest;

    private bool IsKnown(string manifest) => _anyone.Contains(Named(manifest)) || _members.Contains(Named(manifest));

    // A process may say that its own actors watch, or have ended, not that another one's do.
    private static bool IsOfOwnActors(object message, string origin) => message switch
    {
        DeathWatchNotification ended => IsAt(ended.Actor, origin),
        Watch watch => IsAt(watch.Watcher, origin),
        Unwatch watch => IsAt(watch.Watcher, origin),
        _ => true,
    };

    private static bool IsAt(IActorRef? actor, string origin) => actor?.Path.Address.HostPort() == origin;

    // No message begins with these two bytes unless it is packed: they are no valid field of a protocol buffer.
    private void DemandSmall(byte[] bytes)
    {
        if (bytes is not [0x1F, 0x8B, ..])
            return;
        using var unpacked = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        var buffer = new byte[8 << 10];
        for (var total = 0; unpacked.Read(buffer) is > 0 and var read; total += read)
            if (total > MostUnpackedBytes)
                throw _gate.Refusal(_what, $"it unpacks to more than {MostUnpackedBytes} bytes");
    }
}
