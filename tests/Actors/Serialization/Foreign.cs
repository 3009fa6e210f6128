using System.Runtime.CompilerServices;
using Elastic.Messages.Work;
using Hyperion;

#pragma warning disable MA0055 // the finalizers are the point, see Census

namespace Elastic.Actors.Tests.Serialization;

/// <summary>A type that an attacker would like to see made.</summary>
public sealed class Foreign
{
    ~Foreign() => Census.Count();

    public string? Text { get; set; }

    /// <summary>The bytes that a Hyperion without any filter writes.</summary>
    public static byte[] Write(object payload)
    {
        using var stream = new MemoryStream();
        Permissive().Serialize(payload, stream);
        return stream.ToArray();
    }

    /// <summary>What a Hyperion without any filter reads.</summary>
    public static object Read(byte[] bytes) => Permissive().Deserialize<object>(new MemoryStream(bytes));

    private static Serializer Permissive() => new(new SerializerOptions(
        versionTolerance: true, preserveObjectReferences: false, surrogates: [], serializerFactories: [], knownTypes: [],
        ignoreISerializable: true, packageNameOverrides: [], disallowUnsafeTypes: false, typeFilter: DisabledTypeFilter.Instance));
}

/// <summary>A subtype of one of Elastic's own messages, from elsewhere; where a field is abstract it fits in.</summary>
public sealed record ForeignContent : WorkContent
{
    ~ForeignContent() => Census.Count();
}

/// <inheritdoc cref="ForeignContent"/>
public sealed record ForeignOutcome : WorkOutcome
{
    ~ForeignOutcome() => Census.Count();
}

/// <summary>
/// Tells how many foreign objects came into being, by counting them when they go: Hyperion makes objects without a constructor,
/// but none without its finalizer.
/// </summary>
internal static class Census
{
    private static int _gone;

    public static void Count() => Interlocked.Increment(ref _gone);

    /// <summary>Foreign objects that <paramref name="action"/> made.</summary>
    public static int During(Action action)
    {
        Bury();
        var before = Volatile.Read(ref _gone);
        Run(action);
        Bury();
        return Volatile.Read(ref _gone) - before;
    }

    // A frame of its own, so that no register or local keeps what was made alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Run(Action action) => action();

    private static void Bury()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
