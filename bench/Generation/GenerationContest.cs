using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Bench.Generation;

/// <summary>
/// What is timed, each by itself and the best of its turns: the memory, a step that writes a token of several texts, the same without a
/// cache, and a prompt.
/// </summary>
internal sealed class GenerationContest : IDisposable
{
    private readonly ModelSettings _model;
    private readonly int _prompt, _threads;
    private readonly ReplicaVectors _vectors;
    private readonly TrainingDevice _device;

    /// <param name="prompt">Tokens of each text when its first token is written.</param>
    public GenerationContest(ModelSettings model, int prompt, int threads)
    {
        (_model, _prompt, _threads) = (model, prompt, threads);
        var architecture = Architectures.Open(model);
        _vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters));
        Initialization.Fill(_vectors, 1);
        var id = new DeviceId("cpu:0");
        _device = DeviceBackends.Of(id).Open(id, architecture, 0, threads, RecomputeMode.None);
        _device.Attach(_vectors);
    }

    /// <summary>Bytes of all weights: what a step reads at least.</summary>
    public double WeightBytes => (double)_vectors.Layout.Length * sizeof(float);

    /// <summary>Bytes of the keys and values of a text: what a step reads beside them.</summary>
    public double CacheBytes => _device.StateBytes(_prompt);

    /// <summary>Bytes a second, read and written, of a copy of as many bytes as the weights have.</summary>
    public unsafe double CopyBandwidth(int turns)
    {
        const int Piece = 1 << 16;
        var pieces = (int)Math.Max(1, _vectors.Layout.Length / 2 / Piece);
        using NativeBuffer from = new((long)pieces * Piece * sizeof(float)), to = new((long)pieces * Piece * sizeof(float));
        // Pages that nobody has written are one and the same, which fits a cache.
        for (var piece = 0; piece < pieces; piece++)
            new Span<float>(from.Floats + (long)piece * Piece, Piece).Fill(1);
        using var team = new ThreadTeam(_threads);
        var copy = new Copy(from.Floats, to.Floats, Piece);
        return 2.0 * pieces * Piece * sizeof(float) / Best(turns + 1, () => team.Run(copy, pieces));
    }

    /// <summary>Seconds of a step that writes one token of each of so many texts.</summary>
    public double Step(int texts, int turns)
    {
        using var generator = new TextGenerator(_device, _model.Vocabulary, _prompt * texts);
        for (var i = 0; i < texts; i++)
            generator.Add(Tokens(), turns + 3, new SamplingSettings(0));
        // The prompts, and a step that plans its pass.
        generator.Step();
        generator.Step();
        return Best(turns, () => generator.Step());
    }

    /// <summary>Seconds of the same without a cache.</summary>
    public double WithoutCache(int texts, int turns)
    {
        var tokens = Tokens();
        return Best(turns, () =>
        {
            for (var i = 0; i < texts; i++)
                _device.Logits(tokens);
        });
    }

    /// <summary>Seconds that a text's prompt takes.</summary>
    public double Prompt(int turns)
    {
        using var state = _device.NewState(_prompt);
        var input = new DecoderInput(state, Tokens());
        return Best(turns + 1, () =>
        {
            state.Clear();
            _device.Decode([input]);
        });
    }

    /// <summary>Seconds that a beam search takes for an answer of so many tokens to a source of as many.</summary>
    /// <param name="shares">False where every text goes through the network with its source, from its beginning on.</param>
    public double Answer(int beams, int tokens, bool shares)
    {
        int[] source = [.. Tokens().Take(tokens)];
        return Best(1, () =>
        {
            using var texts = new BeamTexts(_device, source, tokens);
            // No token ends it.
            new BeamSearch(
                shares ? texts.Logits : asked => [.. asked.Select(t => _device.Logits(source, t))], new BeamSettings(beams))
                .Find(0, -1, tokens);
        });
    }

    public void Dispose()
    {
        _device.Dispose();
        _vectors.Dispose();
    }

    private static double Best(int turns, Action run)
    {
        var best = double.PositiveInfinity;
        for (var i = 0; i < turns; i++)
        {
            var start = Stopwatch.GetTimestamp();
            run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    private int[] Tokens() => [.. Enumerable.Range(0, _prompt).Select(i => i * 7919 % _model.Vocabulary)];

    private readonly unsafe struct Copy(float* from, float* to, int piece) : IParallelWork
    {
        private readonly float* _from = from, _to = to;
        private readonly int _piece = piece;

        public void Run(int index)
        {
            var at = (long)index * _piece;
            new ReadOnlySpan<float>(_from + at, _piece).CopyTo(new(_to + at, _piece));
        }
    }
}
