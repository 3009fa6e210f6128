namespace Elastic.Transfer;

/// <summary>Names the connection of two stages in one attempt at a replica's round.</summary>
/// <param name="Attempt">
/// Name of an attempt at one job and replica, drawn for each attempt: 1 to <see cref="LongestAttempt"/> characters of an identifier.
/// </param>
/// <param name="From">The stage that opens it, which is the later one.</param>
/// <param name="To">The stage that accepts it.</param>
public readonly record struct StageRoute(string Attempt, int From, int To)
{
    /// <summary>Characters of an attempt's name.</summary>
    public const int LongestAttempt = 160;

    /// <summary>Stages that an attempt can have, and more than any has.</summary>
    public const int MostStages = 1024;
}

/// <summary>An open connection to the node of another stage. Whoever has it disposes of it.</summary>
/// <param name="stream">Both directions.</param>
/// <param name="close">Closes it.</param>
public sealed class StageConnection(Stream stream, Action close) : IAsyncDisposable
{
    /// <summary>Both directions: what the other stage sends, and what is sent to it.</summary>
    public Stream Stream => stream;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await stream.DisposeAsync();
        }
        finally
        {
            close();                                                   // else the request lasts until the process stops
        }
    }
}
