using Elastic.Model.Training;

namespace Elastic.Model.Generation;

/// <summary>
/// Continues texts on one device, token by token, all of them in one pass: texts join and leave between two steps (Yu et al. 2022, section
/// 3). What else is in a step never shows in a text. Of a text longer than the context, the model sees the newest tokens; their positions
/// move with each further one, so that the device computes all of them again.
/// </summary>
/// <param name="device">With a model attached. The generator belongs to its thread.</param>
/// <param name="vocabulary">Tokens that may be drawn: the model may have more, which are no text.</param>
/// <param name="rowsAtOnce">
/// Most tokens of a pass, so that a long prompt neither takes much memory nor holds the other texts up: it goes through in pieces.
/// </param>
public sealed class TextGenerator(TrainingDevice device, int vocabulary, int rowsAtOnce = 256) : IDisposable
{
    private readonly List<GeneratedText> _texts = [];

    /// <summary>Texts that are not finished.</summary>
    public IReadOnlyList<GeneratedText> Texts => _texts;

    /// <summary>Begins a text of at most <paramref name="count"/> tokens after <paramref name="prompt"/>.</summary>
    /// <param name="likeliest">Says with each token its probability, and those of so many likeliest ones; null for none.</param>
    /// <exception cref="ArgumentException">The prompt is empty.</exception>
    /// <exception cref="OutOfMemoryException">The device has no room for what it keeps of the text.</exception>
    public GeneratedText Add(IReadOnlyList<int> prompt, int count, SamplingSettings settings, int? likeliest = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (prompt.Count == 0)
            throw new ArgumentException("the prompt is empty: give at least one token", nameof(prompt));
        // The last token is drawn and not read again.
        var capacity = (int)Math.Min((long)prompt.Count + count - 1, device.Architecture.Context);
        var text = new GeneratedText(prompt, count, device.NewState(capacity), new Sampler(settings, prompt), likeliest);
        _texts.Add(text);
        return text;
    }

    /// <summary>Ends a text and frees what the device keeps of it; nothing happens to one that has ended.</summary>
    public void Remove(GeneratedText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (_texts.Remove(text))
            text.State.Dispose();
    }

    /// <summary>One pass: draws the next token of every text whose prompt is through. Texts that have all their tokens end.</summary>
    public IReadOnlyList<DrawnToken> Step()
    {
        // Texts that go on take a row each; prompts share what is left, the oldest first.
        var rows = Math.Max(rowsAtOnce, _texts.Count);
        var (texts, inputs) = (new List<GeneratedText>(), new List<DecoderInput>());
        foreach (var text in _texts.OrderBy(t => t.Pending.Length > 1).TakeWhile(_ => rows > 0))
        {
            var taken = Math.Min(rows, text.Pending.Length);
            texts.Add(text);
            inputs.Add(new DecoderInput(text.State, text.Pending[..taken], Predicts: taken == text.Pending.Length));
            rows -= taken;
        }
        device.Decode(inputs);
        var drawn = new List<DrawnToken>();
        foreach (var (text, input) in texts.Zip(inputs))
        {
            if (text.Advance(input, vocabulary) is { } token)
                drawn.Add(new DrawnToken(text, token, text.IsFinished) { Probabilities = text.ProbabilitiesOf(token, vocabulary) });
            if (text.IsFinished)
                Remove(text);
        }
        return drawn;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var text in _texts.ToList())
            Remove(text);
    }
}

/// <summary>A token that was drawn.</summary>
/// <param name="IsLast">The text has as many tokens as it was to have.</param>
public readonly record struct DrawnToken(GeneratedText Text, int Token, bool IsLast)
{
    /// <summary>What the model said of it; null where the text was not to say so.</summary>
    public TokenProbabilities? Probabilities { get; init; }
}

/// <summary>What the model said of the next token, before temperature, penalties and all that.</summary>
/// <param name="OfToken">The log-probability of the one that was drawn, nats.</param>
/// <param name="Likeliest">The likeliest tokens with theirs, the likeliest first.</param>
public sealed record TokenProbabilities(double OfToken, IReadOnlyList<(int Token, double LogProbability)> Likeliest);

/// <summary>A text that a generator continues.</summary>
public sealed class GeneratedText
{
    private readonly List<int> _tokens;
    private readonly int _end;
    private readonly Sampler _sampler;
    private readonly int? _likeliest;

    internal GeneratedText(IReadOnlyList<int> prompt, int count, DecoderState state, Sampler sampler, int? likeliest)
    {
        _tokens = [.. prompt];
        (_end, _sampler, State, _likeliest) = (prompt.Count + count, sampler, state, likeliest);
        Pending = Newest();
    }

    /// <summary>The prompt and what was drawn.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    /// <summary>What the device keeps of it.</summary>
    internal DecoderState State { get; }

    /// <summary>Tokens that the device has not seen yet.</summary>
    internal ReadOnlyMemory<int> Pending { get; private set; }

    /// <summary>True when it has all its tokens.</summary>
    internal bool IsFinished => _tokens.Count == _end;

    /// <summary>Takes note of a pass; returns the token that was drawn after it, if it was the last of the prompt.</summary>
    internal int? Advance(DecoderInput input, int vocabulary)
    {
        Pending = Pending[input.Tokens.Length..];
        if (!input.Predicts)
            return null;
        var token = _sampler.Draw(State.Logits[..Math.Min(vocabulary, State.Logits.Length)]);
        _tokens.Add(token);
        if (State.Tokens.Count < State.Capacity)
        {
            Pending = new[] { token };
        }
        else if (!IsFinished)
        {
            State.Clear();
            Pending = Newest();
        }
        return token;
    }

    /// <summary>What the logits of the last pass say of a token that was drawn after it, among those that may be drawn.</summary>
    internal TokenProbabilities? ProbabilitiesOf(int token, int vocabulary)
    {
        if (_likeliest is not { } count)
            return null;
        var likeliest = LogProbabilities.Likeliest(State.Logits[..Math.Min(vocabulary, State.Logits.Length)], count);
        var of = LogProbabilities.Of(State.Logits, [token, .. likeliest]);
        return new TokenProbabilities(of[0], [.. likeliest.Zip(of.Skip(1))]);
    }

    // As many tokens of the end as the model sees at once.
    private int[] Newest() => [.. _tokens[Math.Max(0, _tokens.Count - State.Capacity)..]];
}
