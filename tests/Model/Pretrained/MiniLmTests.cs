using CsCheck;
using Elastic.Corpus;
using Elastic.Corpus.Tests;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Cpu;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using ReferenceTokenizer = Tokenizers.DotNet.Tokenizer;

namespace Elastic.Model.Tests.Pretrained;

/// <summary>Weights that others trained and published, against the runtime that they are published for.</summary>
public sealed class MiniLmTests(MiniLm model, ITestOutputHelper output) : IClassFixture<MiniLm>
{
    // Of the largest hidden state, which is 4 or so. Both sides compute in fp32, in other orders.
    private const double Tolerance = 1e-4;

    private const string Head = "cls.predictions.";

    private static readonly string[] Sentences =
    [
        "Hello", "The quick brown fox jumps over the lazy dog.", "A man is eating food.", "Ein Mann isst Brot, während es regnet.",
        "Où est passée la bibliothèque ?", "Съешь же ещё этих мягких французских булок", "中文句子沒有空格", "日本語のテキスト", "한국어 문장",
        "नमस्ते दुनिया", "שלום עולם", "مرحبا بالعالم", "e\u0301galite\u0301 ﬁn İstanbul",
        "👨‍👩‍👧‍👦 🇩🇪 family and flag", "x = f(y) + 0.5*z**2; // code",
        "http://example.org/a?b=c&d=%20", "1234567890 3.14159 1,000,000", "antidisestablishmentarianism and pneumonoultramicroscopic",
        "A summary of what happened: nothing much, really, but that took a while to find out, and so we went home. It was late, and the "
        + "streets were empty; somewhere a dog barked, somebody laughed, a window was shut.",
        "word " + string.Concat(Enumerable.Repeat("and another word, ", 120)),
    ];

    [Fact]
    public void Hidden_states_are_those_of_the_runtime_that_the_model_was_published_for()
    {
        using var folder = ModelFolder.Open(model.Place);
        using var vectors = folder.Load();
        using var runtime = new InferenceSession(model.Onnx);
        var tokenizer = FileTokenizer.Open(TokenizerFile.Find(model.Place));
        var (worst, most) = (0.0, 0);
        foreach (var sentence in Sentences)
        {
            var tokens = tokenizer.EncodeWithSpecialTokens(sentence).Tokens;
            var expected = Expected(runtime, [.. tokens.Select(t => (long)t)]);
            var actual = HiddenStates(folder.Model, vectors, [.. tokens]);
            var (error, size) = (0.0, 0.0);
            for (var i = 0; i < expected.Length; i++)
                (error, size) = (Math.Max(error, Math.Abs(actual[i] - expected[i])), Math.Max(size, Math.Abs(expected[i])));
            Assert.True(error / size < Tolerance, $"\"{sentence}\": {error / size:E2}");
            (worst, most) = (Math.Max(worst, error / size), Math.Max(most, tokens.Count));
        }
        Assert.Equal((20, true), (Sentences.Length, most > 300));
        output.WriteLine($"worst {worst:E2}, up to {most} tokens");
    }

    [Fact]
    public void Word_pieces_of_the_published_vocabulary_are_those_of_the_reference()
    {
        var file = TokenizerFile.Find(model.Place);
        var (ours, path) = (FileTokenizer.Open(file), model.Beside("tokenizer.json"));
        File.WriteAllBytes(path, file.Json);
        using var reference = new ReferenceTokenizer(path);
        void Same(string text) =>
            Assert.Equal(reference.Encode(text).Select(t => (int)t), ours.EncodeWithSpecialTokens(text).Tokens);
        foreach (var sentence in Sentences)
            Same(sentence);
        foreach (var hostile in (string[])
            ["", "\0", "\uFEFF", "\u200D", "[MASK] x[SEP]y", "'S \u017F", "½²Ⅷ", "\u0301", "ß ẞ", "\u2028\u2029\u0085", "𝐀x𝐀", "\uFFFD",
                new string('a', 100), new string('a', 101), new string('é', 300), new string('中', 300)])
            Same(hostile);
        Texts.Scripts.Select(text => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text)))
            .Sample(Same, iter: 2000, threads: 1);
    }

    [Fact]
    public void Weights_are_the_files_bits_with_and_without_the_prefix_and_the_head_that_is_missing_is_always_the_same()
    {
        Digest plain;
        using (var folder = ModelFolder.Open(model.Place))
        {
            using var vectors = folder.Load();
            var embedding = vectors.Layout[BertArchitecture.TokenEmbedding];
            Assert.Equal(
                Digest.Of(model.Tensors["embeddings.word_embeddings.weight"].Bytes),
                Digest.Of(vectors.Bytes(VectorSet.Parameters, embedding.Offset, (int)embedding.Count)));
            Assert.Equal(
                ["transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight", "transform.LayerNorm.bias", "bias"],
                folder.Drawn.Select(n => n[Head.Length..]));
            using var drawn = Samples.Initialized(folder.Model, seed: 0);
            foreach (var segment in folder.Drawn.Select(n => vectors.Layout[n]))
                Assert.Equal(
                    drawn.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count).ToArray(),
                    vectors.Floats(VectorSet.Parameters, segment.Offset, (int)segment.Count).ToArray());
            plain = folder.Fingerprint();
        }
        model.WriteWeights("bert.");
        using (var folder = ModelFolder.Open(model.Place))
            Assert.Equal(plain, folder.Fingerprint());
        model.WriteWeights("");
    }

    [Fact]
    public void An_export_is_read_as_what_it_was_bit_for_bit_head_and_all()
    {
        using var folder = ModelFolder.Open(model.Place);
        using var vectors = folder.Load();
        var masked = folder.Model with { Bert = new BertSettings { MaskToken = 103, ClassToken = null } };
        var (first, second) = (model.Beside("first"), model.Beside("second"));
        ModelFolderWriter.Write(first, vectors, masked, ElementType.Float32, 102, new Dictionary<string, byte[]>());
        using var back = ModelFolder.Open(first);
        Assert.Equal((masked.Signature, masked.Bert), (back.Model.Signature, back.Model.Bert));
        Assert.Empty(back.Drawn);
        Assert.Equal(folder.Fingerprint(), back.Fingerprint());
        using var again = back.Load();
        ModelFolderWriter.Write(second, again, back.Model, ElementType.Float32, 102, new Dictionary<string, byte[]>());
        foreach (var name in (string[])["config.json", "model.safetensors"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(first, name)), File.ReadAllBytes(Path.Combine(second, name)));
        Assert.False(File.Exists(Path.Combine(first, "generation_config.json")));
    }

    private static float[] Expected(InferenceSession runtime, long[] tokens)
    {
        int[] shape = [1, tokens.Length];
        using var results = runtime.Run(
        [
            NamedOnnxValue.CreateFromTensor("input_ids", new DenseTensor<long>(tokens, shape)),
            NamedOnnxValue.CreateFromTensor("attention_mask", new DenseTensor<long>(Enumerable.Repeat(1L, tokens.Length).ToArray(), shape)),
            NamedOnnxValue.CreateFromTensor("token_type_ids", new DenseTensor<long>(new long[tokens.Length], shape)),
        ]);
        return [.. results[0].AsEnumerable<float>()];
    }

    private static unsafe float[] HiddenStates(ModelSettings model, ReplicaVectors vectors, int[] tokens)
    {
        var tape = new Tape(TapePurpose.Evaluation, new BatchShape(1, 1, tokens.Length), vectors.Layout);
        var hidden = ((BertArchitecture)Architectures.Open(model)).Encode(tape);
        using var team = new ThreadTeam(2);
        Products.Reserve(team, tape.Operations.Max(o => o.ProductBytes(tape.Shape, team.Threads)));
        var plan = new MemoryPlan(tape, team.Threads);
        var pass = new CpuPass(tape, plan, team);
        using var arena = new NativeBuffer(plan.Floats * sizeof(float));
        tokens.CopyTo(pass.Inputs);
        pass.Forward(arena.Floats, vectors.Host(VectorSet.Parameters).Data);
        return new Span<float>(pass[hidden], hidden.Rows * hidden.Columns).ToArray();
    }
}
