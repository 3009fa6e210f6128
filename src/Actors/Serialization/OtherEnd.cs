using System.Net;
using Akka.Actor.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>
/// The other end of the connection whose bytes are being read, or written, on this thread. The sender of a message is what the message
/// says; this is what the connection said when it was opened, and what Akka answers to.
/// </summary>
/// <remarks>
/// Akka does not tell a serializer. It reads each connection in an actor of its own, which is named after the other end, and which reads a
/// message before it delivers it. It writes in another one, which is named so, too, or whose parent is.
/// </remarks>
internal static class OtherEnd
{
    private const string Reader = "endpointReader-";
    private static readonly string[] Writers = ["reliableEndpointWriter-", "endpointWriter-"];

    /// <summary>"system@host:port"; null where the bytes come from no other process, but from the journal, for one.</summary>
    public static string? Current =>
        // Only Akka itself makes actors below /system.
        InternalCurrentActorCellKeeper.Current?.Self?.Path is { } path && path.Name.StartsWith(Reader, StringComparison.Ordinal)
        && path.Elements[0] == "system"
            ? Of(path.Name)
            : null;

    /// <summary>Whom the message is for that is being written: "system@host:port"; empty where it does not travel.</summary>
    public static string Addressee =>
        InternalCurrentActorCellKeeper.Current?.Self?.Path is { } path && path.Elements is ["system", ..] parents
        && parents.FirstOrDefault(name => Writers.Any(w => name.StartsWith(w, StringComparison.Ordinal))) is { } writer
            ? Of(writer)
            : "";

    // E.g. endpointReader-akka.tcp%3A%2F%2Felastic%40127.0.0.1%3A4053-7.
    internal static string Of(string actor)
    {
        var address = WebUtility.UrlDecode(actor[(actor.IndexOf('-', StringComparison.Ordinal) + 1)..actor.LastIndexOf('-')]);
        return address[(address.IndexOf("://", StringComparison.Ordinal) + 3)..];
    }
}
