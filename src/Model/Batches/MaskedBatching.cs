using Elastic.Kernels;
using Elastic.Messages.Corpora;
using Elastic.Model.Networks;

namespace Elastic.Model.Batches;

/// <summary>
/// Masked language modelling (Devlin et al. 2019, section 3.1): each token is chosen with probability 15 %; of the chosen ones 80 % are
/// read as the mask, 10 % as any token, 10 % as they are, and the model predicts what they were. Each token is chosen by itself, so that
/// their number is 15 % on average only. The last element of a sample, which is a target alone for other models, is not read; what fills up
/// a short document is neither chosen nor seen.
///
/// What is chosen follows from (seed, round, replica, step), the sample's place in the step, and the token's place in it: neither
/// micro-batches nor devices show, and each epoch masks other tokens. An evaluation has a key of its own, which is always the same.
/// </summary>
/// <param name="vocabulary">V: any token is one below it.</param>
/// <param name="mask">The token that hides another one.</param>
public sealed class MaskedBatching(int vocabulary, int mask) : IBatching
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
        var made = samples.Select((sample, i) => Masks(sample.Tokens.Span[..^1], KeyedRandom.Of(random.Key, (ulong)i))).ToList();
        var counted = made.Sum(m => (long)m.Targets.Count(target => target != MicroBatch.NotCounted));
        return [.. made.Chunk(rows).Select((part, i) => new MicroBatch(
            i, part.Length, [.. part.SelectMany(m => m.Inputs)], [.. part.SelectMany(m => m.Targets)], Math.Max(1, counted))
        {
            Segments = made.Any(m => m.HasSegments) ? [.. part.SelectMany(m => m.Segments)] : null,
        })];
    }

    /// <inheritdoc/>
    public int FirstTarget(int context) => 0;

    // Three draws for each place: whether it is chosen, what is read there, and any token.
    private Made Masks(ReadOnlySpan<int> elements, KeyedRandom random)
    {
        var made = new Made(new int[elements.Length], new int[elements.Length], new int[elements.Length]);
        var (segment, wasFilling) = (0, false);
        for (var place = 0; place < elements.Length; place++)
        {
            var (element, token, at) = (elements[place], SampleElement.TokenOf(elements[place]), 3 * (ulong)place);
            var isFilling = (element & SampleElement.NotCounted) != 0;
            var begins = (element & SampleElement.Begins) != 0 || isFilling != wasFilling;
            segment += place > 0 && begins ? 1 : 0;
            wasFilling = isFilling;
            made.Segments[place] = segment;
            (made.Inputs[place], made.Targets[place]) = (token, MicroBatch.NotCounted);
            if (isFilling || random.Uniform(at) >= Chosen)
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

    private sealed record Made(int[] Inputs, int[] Targets, int[] Segments)
    {
        public bool HasSegments => Segments[^1] > 0;
    }
}
