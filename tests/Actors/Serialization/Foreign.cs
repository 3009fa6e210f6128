using System.Runtime.ExceptionServices;
using Elastic.Messages.Work;
using Hyperion;

#pragma warning disable MA0055, CA1816 // the finalizers are the point, see Census

namespace Elastic.Actors.Tests.Serialization;

/// <summary>A type that an attacker would like to see made.</summary>
public sealed class Foreign
{
    ~Foreign() => Census.Count();

    public string? Text { get; set; }

    /// <summary>One that a test makes to write it; the census leaves it out.</summary>
    public static Foreign ToWrite() => Census.WithoutFinalizer(new Foreign());

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

    /// <inheritdoc cref="Foreign.ToWrite"/>
    public static ForeignContent ToWrite() => Census.WithoutFinalizer(new ForeignContent());
}

/// <inheritdoc cref="ForeignContent"/>
public sealed record ForeignOutcome : WorkOutcome
{
    ~ForeignOutcome() => Census.Count();

    /// <inheritdoc cref="Foreign.ToWrite"/>
    public static ForeignOutcome ToWrite() => Census.WithoutFinalizer(new ForeignOutcome());
}

/// <summary>
/// Tells how many foreign objects readers made, by counting them when they go: Hyperion makes objects without a constructor,
/// but none without its finalizer.
/// </summary>
internal static class Census
{
    private static int _gone;

    public static void Count() => Interlocked.Increment(ref _gone);

    /// <summary>Leaves out what a test made itself.</summary>
    public static T WithoutFinalizer<T>(T made)
        where T : class
    {
        GC.SuppressFinalize(made);
        return made;
    }

    /// <summary>Foreign objects that <paramref name="action"/> made.</summary>
    public static int During(Action action)
    {
        var before = Volatile.Read(ref _gone);
        // A thread of its own: when it has ended, no frame or register keeps what was made alive.
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try { action(); }
            catch (Exception e) { failure = ExceptionDispatchInfo.Capture(e); }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Volatile.Read(ref _gone) - before;
    }
}
