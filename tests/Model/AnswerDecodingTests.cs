using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Messages.Vectors;
using Elastic.Model.Generation;

namespace Elastic.Model.Tests;

/// <summary>
/// Answers of an encoder-decoder whose source went through the encoder once have the logits of passes over source and answer together, bit
/// for bit; and a beam search finds the same.
/// </summary>
public class AnswerDecodingTests
{
    // More tokens than two blocks of 64 keys.
    private const int Context = 150;

    private static readonly Messages.Settings.ModelSettings Model = Samples.Of("transformer", 2, 4, 32, Context, 97);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(2, true)]
    public void Logits_in_pieces_and_beside_answers_to_other_sources_equal_the_plain_ones_bit_for_bit(int threads, bool adapted = false)
    {
        var model = adapted ? Model with { Lora = Model.Lora with { Rank = 2, Targets = ["q_proj", "v_proj"] } } : Model;
        using var vectors = Samples.Initialized(model);
        // Adapters begin as zero.
        foreach (var adapter in vectors.Layout.Segments.Where(s => s.Name.Contains("lora_B", StringComparison.Ordinal)))
            vectors.Floats(VectorSet.Parameters, adapter.Offset, (int)adapter.Count).Fill(0.1f);
        using var plain = Samples.Device(vectors, model);
        using var device = Samples.Device(vectors, model, threads: threads);
        var random = new Random(5);
        EncodedSource[] sources = [.. new[] { Context, 1, 70 }.Select(n => device.Encode(Tokens(random, n)))];
        int[][] texts = [.. new[] { Context, 1, 64, 65, 130, 17 }.Select(n => Tokens(random, n))];
        // Neighbours answer one source, and some others do, too.
        DecoderState[] states = [.. texts.Select((t, i) => device.NewState(t.Length, sources[i / 2 % 3]))];
        while (states.Zip(texts).Any(p => p.First.Tokens.Count < p.Second.Length))
        {
            var inputs = new List<DecoderInput>();
            foreach (var (state, text) in states.Zip(texts))
            {
                var (done, left) = (state.Tokens.Count, text.Length - state.Tokens.Count);
                if (left > 0 && random.Next(4) > 0)
                    inputs.Add(new DecoderInput(state, text.AsMemory(done, random.Next(3) == 0 ? 1 : random.Next(left) + 1)));
            }
            device.Decode(inputs);
            foreach (var state in inputs.Select(i => i.State))
                Assert.Equal(Digest(plain.Logits(state.Source!.Tokens, [.. state.Tokens])), Digest(state.Logits));
        }
        Array.ForEach(states, s => s.Dispose());
        Array.ForEach(sources, s => s.Dispose());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Beams_that_share_a_source_find_what_beams_without_a_cache_find_by_the_same_logits(int beams)
    {
        using var vectors = Samples.Initialized(Model, seed: 11);
        using var device = Samples.Device(vectors, Model);
        var random = new Random(6);
        for (var i = 0; i < 3; i++)
        {
            var source = Tokens(random, 5 + 10 * i);
            // A made-up end ends some beams early, so that their places are empty.
            List<string> plainly = [], cached = [];
            using var texts = new BeamTexts(device, source, 12);
            var expected = Find(asked => [.. asked.Select(t => device.Logits(source, t))], plainly);
            Assert.Equal(expected, Find(texts.Logits, cached));
            Assert.Equal(plainly, cached);
            Assert.Equal(expected, Find(texts.Logits, cached));         // and again, in the same memory
        }

        IReadOnlyList<int> Find(Func<IReadOnlyList<int[]>, IReadOnlyList<float[]>> logits, List<string> digests) => new BeamSearch(asked =>
        {
            var all = logits(asked);
            digests.AddRange(asked.Zip(all, (text, z) => $"{string.Join(' ', text)}: {Digest(z)}"));
            return all;
        }, new BeamSettings(beams)).Find(0, 3, 12);
    }

    [Fact]
    public void A_copy_goes_on_by_itself()
    {
        using var vectors = Samples.Initialized(Model);
        using var device = Samples.Device(vectors, Model);
        using var source = device.Encode([1, 2, 3]);
        using var other = device.Encode([1, 2, 3]);
        using DecoderState one = device.NewState(4, source), two = device.NewState(3, source), elsewhere = device.NewState(4, other);
        device.Decode([new DecoderInput(one, new[] { 5, 6 })]);
        two.CopyFrom(one);
        Assert.Equal(Digest(one.Logits), Digest(two.Logits));
        device.Decode([new DecoderInput(one, new[] { 7 }), new DecoderInput(two, new[] { 8 })]);
        Assert.Equal(Digest(device.Logits([1, 2, 3], [5, 6, 7])), Digest(one.Logits));
        Assert.Equal(Digest(device.Logits([1, 2, 3], [5, 6, 8])), Digest(two.Logits));
        device.Decode([new DecoderInput(one, new[] { 9 })]);
        Assert.Throws<ArgumentException>(() => two.CopyFrom(one));      // of four tokens
        Assert.Throws<ArgumentException>(() => elsewhere.CopyFrom(two));
        Assert.Equal([5, 6, 8], two.Tokens);
    }

    [Fact]
    public void A_source_belongs_to_networks_that_read_one()
    {
        using var vectors = Samples.Initialized(Model);
        using var device = Samples.Device(vectors, Model);
        using var plainVectors = Samples.Initialized(Samples.Tiny());
        using var plain = Samples.Device(plainVectors, Samples.Tiny());
        Assert.Equal("the network needs a source", Assert.Throws<ArgumentException>(() => device.NewState(4)).Message);
        Assert.Equal("the network needs a source", Assert.Throws<ArgumentException>(() => device.Encode([])).Message);
        Assert.Equal("the network reads no source", Assert.Throws<ArgumentException>(() => plain.Encode([1])).Message);
        Assert.Throws<ArgumentException>(() => device.Encode([97]));
        Assert.Throws<ArgumentException>(() => device.Encode(new int[Context + 1]));
        var source = device.Encode([1]);
        using var state = device.NewState(4, source);
        source.Dispose();
        Assert.Throws<ObjectDisposedException>(() => device.Decode([new DecoderInput(state, new[] { 1 })]));
    }

    private static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(Model.Vocabulary))];

    private static string Digest(ReadOnlySpan<float> logits) => Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(logits)));
}
