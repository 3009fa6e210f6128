using Elastic.Kernels;
using Elastic.Messages.Corpora;
using Elastic.Model.Networks;

namespace Elastic.Model.Batches;

/// <summary>
/// Masked language modelling (Devlin et al. 2019, section 3.1): each token is chosen with probability 15 %; of the chosen ones 80 % are
/// read as the mask, 10 % as any token, 10 % as they are, and the model predicts what they were. Each token is chosen by itself, so that
/// their number is 15 % on average only. The last element of a sample, which is a target alone for other models, is not read; what fills up
/// a short document is neither chosen nor seen. Where elements say which pieces go on with a word, whole words are chosen (the authors'
/// update of 2019): with probability 15 % all pieces of a word, each of which is then read as the mask, as any token or as it is.
///
/// What is chosen follows from (seed, round, replica, step), the sample's place in the step, and the place in it, of a word its first one:
/// neither micro-batches nor devices show, and each epoch masks other tokens. An evaluation has a key of its own, which is always the same.
/// </summary>
/// <param name="vocabulary">V: any token is one below it.</param>
/// <param name="mask">The token that hides another one.</param>
/// <param name="context">T: a sample of 2 T + 1 elements is a pair (<see cref="SentencePair"/>), any other at most T + 1 long.</param>
/// <param name="first">The token before a pair; null for an end of text.</param>
public sealed class MaskedBatching(int vocabulary, int mask, int context, int? first = null) : IBatching
{
    private const double Chosen = 0.15, Masked = 0.8, Replaced = 0.1;

    // What the draws are for is part of their key, so that an evaluation shares none with the training under any seed.
    private const string Evaluation = "masks of an evaluation", Training = "masks of training";

    /// <inheritdoc/>
    public IReadOnlyList<MicroBatch> MicroBatches(IReadOnlyList<Sample> samples, int rows, DropoutSeed? draw = null)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Any(s => s.Tokens.Length < 2 || s.Tokens.Length != samples[0].Tokens.Length))
            throw new ArgumentException("use samples of one length, of two tokens or more", nameof(samples));
        var random = draw is { } step
            ? KeyedRandom.Of(
                KeyedRandom.Of(step.Seed, Training).Key, (ulong)step.Round, (ulong)step.Replica, (ulong)step.Step)
            : KeyedRandom.Of(0, Evaluation);
        var arePairs = samples.Count > 0 && context >= SentencePair.LeastContext && samples[0].Tokens.Length == 2 * context + 1;
        var made = samples.Select((sample, i) => Hide(
            arePairs ? SentencePair.Of(sample.Tokens.Span, first) : Places(sample.Tokens.Span[..^1]),
            KeyedRandom.Of(random.Key, (ulong)i))).ToList();
        var counted = made.Sum(m => (long)m.Targets.Count(target => target != MicroBatch.NotCounted));
        return [.. made.Chunk(rows).Select((part, i) => new MicroBatch(
            i, part.Length, [.. part.SelectMany(m => m.Inputs)], [.. part.SelectMany(m => m.Targets)], Math.Max(1, counted))
        {
            Segments = made.Any(m => m.HasSegments) ? [.. part.SelectMany(m => m.Places.Select(p => p.Segment))] : null,
            Types = arePairs ? [.. part.SelectMany(m => m.Places.Select(p => p.Type))] : null,
        })];
    }

    /// <inheritdoc/>
    public int FirstTarget(int context) => 0;

    private static MaskedPlace[] Places(ReadOnlySpan<int> elements)
    {
        var places = new MaskedPlace[elements.Length];
        var (segment, wasFilling) = (0, false);
        for (var at = 0; at < places.Length; at++)
        {
            var element = elements[at];
            var isFilling = (element & SampleElement.NotCounted) != 0;
            var begins = (element & SampleElement.Begins) != 0 || isFilling != wasFilling;
            segment += at > 0 && begins ? 1 : 0;
            wasFilling = isFilling;
            places[at] = new MaskedPlace(
                SampleElement.TokenOf(element), !isFilling, at > 0 && (element & SampleElement.Continues) != 0, segment, 0);
        }
        return places;
    }

    // Three draws for each place: whether it, or the word that it begins, is chosen; what is read there; and any token.
    private Made Hide(MaskedPlace[] places, KeyedRandom random)
    {
        var made = new Made(places, new int[places.Length], new int[places.Length]);
        var isChosen = false;
        for (var place = 0; place < places.Length; place++)
        {
            var (token, at) = (places[place].Token, 3 * (ulong)place);
            (made.Inputs[place], made.Targets[place]) = (token, MicroBatch.NotCounted);
            if (!places[place].Continues)
                isChosen = random.Uniform(at) < Chosen;
            if (!places[place].CanHide || !isChosen)
                continue;
            made.Targets[place] = token;
            made.Inputs[place] = random.Uniform(at + 1) switch
            {
                < Masked => mask,
                < Masked + Replaced => (int)(random.Uniform(at + 2) * vocabulary),
                _ => token,
            };
        }
        return made;
    }

    private sealed record Made(MaskedPlace[] Places, int[] Inputs, int[] Targets)
    {
        public bool HasSegments => Places[^1].Segment > 0;
    }
}
