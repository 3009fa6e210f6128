using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

/// <summary>
/// Logits of texts that go on, with cached keys and values, are those of a pass over the whole text, bit for bit: whatever else is in the
/// pass, in whichever pieces a text comes, with any number of threads.
/// </summary>
public class DecodingTests
{
    // More tokens than two blocks of 64 keys.
    private const int Context = 150;

    public static TheoryData<string, int> Models => new(
        from kind in new[] { "gpt2", "llama", "qwen3", "yarn", "mistral", "lora", "bert" }
        from threads in new[] { 1, 2, 3 }
        select (kind, threads));

    [Theory]
    [MemberData(nameof(Models))]
    public void Cached_logits_in_pieces_and_in_a_batch_equal_the_plain_ones_bit_for_bit(string kind, int threads)
    {
        var model = Model(kind);
        using var vectors = Samples.Initialized(model);
        // Adapters begin as zero.
        foreach (var adapter in vectors.Layout.Segments.Where(s => s.Name.Contains("lora_B", StringComparison.Ordinal)))
            vectors.Floats(VectorSet.Parameters, adapter.Offset, (int)adapter.Count).Fill(0.1f);
        using var plain = Samples.Device(vectors, model);
        using var device = Samples.Device(vectors, model, threads: threads);
        var random = new Random(5);
        int[][] texts = [.. new[] { Context, 1, 64, 65, 130, 17 }.Select(n => Tokens(random, model, n))];
        DecoderState[] states = [.. texts.Select(t => device.NewState(t.Length))];
        // Prompts of several lengths, single tokens and pieces, a random choice of texts in each pass.
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
                Assert.Equal(Digest(plain.Logits([.. state.Tokens])), Digest(state.Logits));
        }
        foreach (var state in states)
            state.Dispose();
    }

    [Fact]
    public void A_text_begins_anew_in_the_same_memory()
    {
        var model = Model("llama");
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        using var state = device.NewState(Context);
        var random = new Random(6);
        for (var i = 0; i < 3; i++)
        {
            var text = Tokens(random, model, Context - 40 * i);
            state.Clear();
            device.Decode([new DecoderInput(state, text)]);
            Assert.Equal(Digest(device.Logits(text)), Digest(state.Logits));
        }
    }

    [Fact]
    public void Where_the_rotary_base_grows_with_the_text_logits_equal_the_plain_ones_too()
    {
        var model = Model("dynamic");
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        DecoderState[] states = [device.NewState(Context), device.NewState(Context)];
        var text = Tokens(new Random(7), model, 40);
        // The original context is 32: two of 20 together are more, and either passes it.
        for (var at = 0; at < text.Length; at += 10)
        {
            device.Decode([.. states.Select(s => new DecoderInput(s, text.AsMemory(at, 10)))]);
            Assert.All(states, s => Assert.Equal(Digest(device.Logits(text.AsSpan(0, at + 10))), Digest(s.Logits)));
        }
        states[0].Dispose();
        states[1].Dispose();
    }

    [Fact]
    public void What_does_not_fit_is_refused_and_leaves_the_texts_as_they_were()
    {
        var model = Model("gpt2");
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        Assert.Throws<ArgumentOutOfRangeException>(() => device.NewState(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => device.NewState(Context + 1));
        var state = device.NewState(4);
        device.Decode([new DecoderInput(state, new[] { 1, 2 })]);
        foreach (var wrong in new int[][] { [], [1, 2, 3], [model.Vocabulary], [-1] })
            Assert.Throws<ArgumentException>(() => device.Decode([new DecoderInput(state, wrong)]));
        Assert.Throws<ArgumentException>(() => device.Decode([new DecoderInput(state, new[] { 1 }), new DecoderInput(state, new[] { 1 })]));
        Assert.Equal([1, 2], state.Tokens);
        device.Decode([new DecoderInput(state, new[] { 3 })]);
        Assert.Equal(Digest(device.Logits([1, 2, 3])), Digest(state.Logits));
        state.Dispose();
        Assert.Throws<ObjectDisposedException>(() => device.Decode([new DecoderInput(state, new[] { 3 })]));
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    public void Texts_beyond_the_context_are_those_without_a_cache_alone_and_together(string kind)
    {
        // 24 tokens are generated past the end of a context of 16.
        var model = Model(kind) with { Context = 16 };
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model, threads: 2);
        using var whole = new FixedLogits(16, tokens => device.Logits(tokens));
        int[][] prompts = [Tokens(new Random(8), model, 3), Tokens(new Random(9), model, 30), [1], [1]];
        var settings = prompts.Select((_, i) => new SamplingSettings(0.9, TopP: 0.9) { RepetitionPenalty = 1.2, Sample = i }).ToArray();
        var alone = prompts.Zip(settings).Select(p => Run(whole, [p.First], [p.Second], 256).Single()).ToList();
        Assert.Equal(alone, Run(device, prompts, settings, 256));
        Assert.Equal(alone, Run(device, prompts, settings, 5));
        Assert.NotEqual(alone[2], alone[3]);
    }

    [Fact]
    public void A_cache_takes_the_keys_and_values_of_its_capacity_and_no_more()
    {
        using var vectors = Samples.Initialized(Model("llama"));
        using var device = Samples.Device(vectors, Model("llama"));
        // Keys and values of 2 layers, 2 heads of 8 channels, 4 bytes; in pages of 2 MB.
        Assert.Equal(2 << 20, device.StateBytes((2 << 20) / (2 * 2 * 2 * 8 * 4)));
        Assert.Equal(4 << 20, device.StateBytes((2 << 20) / (2 * 2 * 2 * 8 * 4) + 1));
    }

    [Fact]
    public void Where_tokens_see_later_ones_nothing_is_kept()
    {
        var model = Samples.Of("bert", 2, 4, 32, 16, 97);
        using var vectors = Samples.Initialized(model);
        using var device = Samples.Device(vectors, model);
        Assert.Equal(0, device.StateBytes(16));
        Assert.Equal(0, Architectures.Open(model).CacheableTokens);
    }

    private static List<string> Run(TrainingDevice device, int[][] prompts, SamplingSettings[] settings, int rowsAtOnce)
    {
        using var generator = new TextGenerator(device, 97, rowsAtOnce);
        var texts = prompts.Zip(settings).Select(p => generator.Add(p.First, 24, p.Second)).ToList();
        while (generator.Texts.Count > 0)
            generator.Step();
        return [.. texts.Select(t => string.Join(' ', t.Tokens))];
    }

    private static ModelSettings Model(string kind) => kind switch
    {
        "gpt2" => Samples.Model(2, 4, 32, Context, 97),
        "lora" => Samples.Model(2, 4, 32, Context, 97) with { Lora = ModelSettings.Defaults.Lora with { Rank = 4 } },
        "bert" => Samples.Of("bert", 2, 4, 32, Context, 97),
        "qwen3" => Samples.Llama(2, 4, 2, 32, Context, 97, l => l with { HeadNorms = true, AttentionBiases = true }),
        "mistral" => Samples.Llama(2, 4, 2, 32, Context, 97, l => l with { AttentionWindow = 20 }),
        "yarn" => Samples.Llama(2, 4, 1, 32, Context, 97, l => l with
        {
            Rotary = l.Rotary with { Scaling = RotaryScaling.Yarn, Factor = 4, OriginalContext = 32 },
        }),
        "dynamic" => Samples.Llama(2, 4, 2, 32, Context, 97, l => l with
        {
            Rotary = l.Rotary with { Scaling = RotaryScaling.Dynamic, Factor = 4, OriginalContext = 32 },
        }),
        _ => Samples.Llama(2, 4, 2, 32, Context, 97),
    };

    private static int[] Tokens(Random random, ModelSettings model, int count)
        => [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Vocabulary))];

    private static string Digest(ReadOnlySpan<float> values) => Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(values)));
}
