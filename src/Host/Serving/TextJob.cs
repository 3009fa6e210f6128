using System.Runtime.InteropServices;
using System.Threading.Channels;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>A text that a client has asked for: what to continue, and the tokens as they are drawn.</summary>
/// <param name="prompt">At least one token.</param>
/// <param name="count">The most tokens; with the prompt's, at most the model's context.</param>
/// <param name="likeliest">How many of the likeliest tokens are said with each one; null for no probabilities.</param>
internal sealed class TextJob(IReadOnlyList<int> prompt, int count, SamplingSettings sampling, int? likeliest = null)
{
    // At most as many tokens as the text may have.
    private readonly Channel<JobToken> _tokens = Channel.CreateUnbounded<JobToken>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private volatile bool _isCancelled;

    public IReadOnlyList<int> Prompt { get; } = prompt;

    public int Count { get; } = count;

    public SamplingSettings Sampling { get; } = sampling;

    public int? Likeliest { get; } = likeliest;

    /// <summary>A token that ends the text besides the end of text; null for none.</summary>
    public int? End { get; init; }

    /// <summary>Drawn tokens; ends with an end of text, with the last one, or with what went wrong.</summary>
    public ChannelReader<JobToken> Tokens => _tokens.Reader;

    /// <summary>Nobody waits for the text any more.</summary>
    public bool IsCancelled => _isCancelled;

    public void Cancel() => _isCancelled = true;

    public void Give(JobToken token) => _tokens.Writer.TryWrite(token);

    public void Complete(ApiException? why = null) => _tokens.Writer.TryComplete(why);
}

/// <summary>A token of a text.</summary>
/// <param name="Probabilities">Null where the text was not asked for them.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct JobToken(int Token, TokenProbabilities? Probabilities);
