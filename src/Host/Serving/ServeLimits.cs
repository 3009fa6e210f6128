namespace Elastic.Host.Serving;

/// <summary>What bounds the work that clients can make.</summary>
internal sealed record ServeLimits
{
    /// <summary>Texts that a device continues at once. More make each one slower, and all of them together faster.</summary>
    public int Parallel { get; init; } = 16;

    /// <summary>Texts that wait for a device; a request that does not fit is told to come again.</summary>
    public int Queue { get; init; } = 256;

    /// <summary>Texts of a request, prompts times n: the API's bound for n.</summary>
    public int TextsOfRequest { get; init; } = 128;

    /// <summary>The most bytes of a request's body: a prompt of some hundred thousand tokens.</summary>
    public int BodyBytes { get; init; } = 4 << 20;

    /// <summary>Stop strings of a request, as the API bounds them.</summary>
    public int Stops { get; init; } = 4;

    /// <summary>Characters of a stop string: so much text may be held back.</summary>
    public int StopLength { get; init; } = 256;

    /// <summary>How long texts may go on when the server is asked to end.</summary>
    public TimeSpan Goodbye { get; init; } = TimeSpan.FromSeconds(5);
}
