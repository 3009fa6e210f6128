namespace Elastic.Foundation.Certificates;

/// <summary>Why a client has no encrypted connection with a process that listens.</summary>
public enum TlsFailure
{
    /// <summary>It has shown a certificate that another authority has issued.</summary>
    Foreign,

    /// <summary>It has shown one of this cluster's that has expired, was revoked, or is not for the port. The message says which.</summary>
    CountsNotHere,

    /// <summary>It has shown none: it speaks something else than TLS, or has hung up.</summary>
    NoTls,
}

/// <summary>
/// A process listens there, and there is no encrypted connection with it. Whoever knows what the port should be says what to do.
/// </summary>
public sealed class TlsException(string message, TlsFailure failure, Exception inner) : IOException(message, inner)
{
    public TlsFailure Failure => failure;
}
