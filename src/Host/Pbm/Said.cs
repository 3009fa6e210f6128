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

    /// <summary>
    /// The lines of work whose result is to be disposed of; where they are not read to their end, nobody takes the result either.
    /// </summary>
    /// <param name="stop">What the work was given.</param>
    public static async IAsyncEnumerable<string> OrEnd<T>(Task<T> work, IAsyncEnumerable<string> lines, CancellationTokenSource stop)
        where T : IDisposable
    {
        var isOver = false;
        try
        {
            await foreach (var line in lines)
                yield return line;
            isOver = true;
        }
        finally
        {
            if (!isOver)
            {
                await stop.CancelAsync();
                await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (work.IsCompletedSuccessfully)
                    (await work).Dispose();
            }
        }
    }

    public void Report(string value) => lines.TryWrite(value);
}
