using System.Threading.Channels;

namespace Elastic.Host.Pbm;

/// <summary>
/// Passes lines of progress to a channel. Progress of .NET would hand them to the thread pool, where they can overtake each other.
/// </summary>
internal sealed class Said(ChannelWriter<string> lines) : IProgress<string>
{
    /// <summary>Begins work whose lines are read while it goes on.</summary>
    /// <param name="most">Lines that are kept for a slow client: the oldest go.</param>
    /// <param name="cancel">Ends the reading before the work has ended.</param>
    public static (Task<T> Work, IAsyncEnumerable<string> Lines) Begin<T>(
        int most, Func<IProgress<string>, Task<T>> work, CancellationToken cancel)
    {
        var said = System.Threading.Channels.Channel.CreateBounded<string>(
            new BoundedChannelOptions(most) { FullMode = BoundedChannelFullMode.DropOldest });
        return (RunAsync(), said.Reader.ReadAllAsync(cancel));

        async Task<T> RunAsync()
        {
            try
            {
                return await work(new Said(said.Writer));
            }
            finally
            {
                said.Writer.Complete();
            }
        }
    }

    /// <summary>Ends work that was begun and whose result nobody takes any more.</summary>
    /// <param name="stop">What the work was given.</param>
    public static async Task EndAsync<T>(Task<T> work, CancellationTokenSource stop)
        where T : IDisposable
    {
        await stop.CancelAsync();
        await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (work.IsCompletedSuccessfully)
            (await work).Dispose();
    }

    public void Report(string value) => lines.TryWrite(value);
}
