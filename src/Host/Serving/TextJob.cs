using System.Threading.Channels;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>A text that a client has asked for: what to continue, and the tokens as they are drawn.</summary>
/// <param name="prompt">At least one token.</param>
/// <param name="count">The most tokens; with the prompt's, at most the model's context.</param>
internal sealed class TextJob(IReadOnlyList<int> prompt, int count, SamplingSettings sampling)
{
    // At most as many tokens as the text may have.
    private readonly Channel<int> _tokens = Channel.CreateUnbounded<int>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private volatile bool _isCancelled;

    public IReadOnlyList<int> Prompt { get; } = prompt;

    public int Count { get; } = count;

    public SamplingSettings Sampling { get; } = sampling;

    /// <summary>Drawn tokens; ends with an end of text, with the last one, or with what went wrong.</summary>
    public ChannelReader<int> Tokens => _tokens.Reader;

    /// <summary>Nobody waits for the text any more.</summary>
    public bool IsCancelled => _isCancelled;

    public void Cancel() => _isCancelled = true;

    public void Give(int token) => _tokens.Writer.TryWrite(token);

    public void Complete(ApiException? why = null) => _tokens.Writer.TryComplete(why);
}
