using System.Runtime.Serialization;

namespace Elastic.Actors.Serialization;

/// <summary>
/// A message from another process was refused, and the log says so already. Akka drops the message and keeps the connection.
/// </summary>
internal sealed class RefusedException(string message) : SerializationException(message)
{
    /// <summary>The refusal that led to an exception; null where there is none.</summary>
    public static RefusedException? In(Exception? e) => e is null or RefusedException ? e as RefusedException : In(e.InnerException);
}
