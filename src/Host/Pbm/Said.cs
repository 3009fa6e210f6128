using System.Threading.Channels;

namespace Elastic.Host.Pbm;

/// <summary>
/// Passes lines of progress to a channel. Progress of .NET would hand them to the thread pool, where they can overtake each other.
/// </summary>
internal sealed class Said(ChannelWriter<string> lines) : IProgress<string>
{
    /// <summary>A channel that drops the oldest lines which a slow client has not read.</summary>
    /// <param name="most">Lines that it holds.</param>
    public static Channel<string> Channel(int most) =>
        System.Threading.Channels.Channel.CreateBounded<string>(
            new BoundedChannelOptions(most) { FullMode = BoundedChannelFullMode.DropOldest });

    public void Report(string value) => lines.TryWrite(value);
}
