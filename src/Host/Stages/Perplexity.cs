using System.Text;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Stages;

/// <summary>
/// A learned filter: how well a causal model predicts a document, as Wenzek et al. 2020 ("CCNet", section 3.4) and Marion et al. 2023
/// ("When Less is More", section 3.1) sort text. The loss is computed on CPUs, where it has the same bits on all machines.
/// </summary>
internal sealed class Perplexity : Stage
{
    private const int Value = 0, BitsPerByte = 1, Tokens = 2;

    private const double LnTwo = 0.6931471805599453;

    private readonly PerplexitySettings _settings;
    private readonly TextModel _model;

    // Documents come from many threads, and the device's own share each one's arithmetic.
    private readonly Lock _gate = new();
    private readonly Lazy<OpenedDevice> _device;

    /// <exception cref="ElasticException">There is no such model, or it does not go on with a text.</exception>
    public Perplexity(PerplexitySettings settings)
    {
        _settings = settings;
        _model = Open(settings);
        _device = new Lazy<OpenedDevice>(() => _model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount));
        Inputs = [$"model {_model.Fingerprint}", $"tokenizer {_model.Tokenizer.Id}"];
    }

    /// <summary>The kind under the name that manifests use.</summary>
    public static StageKind Kind { get; } = StageKind.Of<PerplexitySettings>("perplexity", 1,
        "Keeps documents that a language model predicts well, or not too well.", settings => new Perplexity(settings));

    public override IReadOnlyList<string> Inputs { get; }

    public override IReadOnlyList<string> Signals { get; } = ["perplexity", "bits-per-byte", "tokens"];

    public override double[] Read(Draft draft)
    {
        var text = Beginning.Of(draft.Text, _settings.Characters);
        List<int> tokens = [];
        _model.Tokenizer.Encode(text, tokens, draft.Cancel);
        int[] read = [_model.Tokenizer.EndOfText, .. tokens];
        var context = _model.Settings.Context;
        List<ScoredRow> rows =
        [
            .. TextWindow.Of(tokens.Count, context, context).Select(w => new ScoredRow(read.AsMemory(w.First, w.Count + 1), w.Scored)),
        ];
        var nats = 0.0;
        lock (_gate)
        {
            foreach (var of in new RowScorer(_device.Value.Device, _model.Tokenizer.EndOfText).Nats(rows, draft.Cancel))
                nats += of;
        }
        var signals = new double[Signals.Count];
        signals[Value] = tokens.Count == 0 ? 1 : Math.Min(double.MaxValue, Elementary.Exp(nats / tokens.Count));
        signals[BitsPerByte] = text.Length == 0 ? 0 : nats / LnTwo / Encoding.UTF8.GetByteCount(text);
        signals[Tokens] = tokens.Count;
        return signals;
    }

    public override string? Refusal(ReadOnlySpan<double> signals) =>
        Thresholds.Outside(signals[Value], _settings.Least, _settings.Most == 0 ? double.PositiveInfinity : _settings.Most,
            "its perplexity is {0}");

    private static TextModel Open(PerplexitySettings settings)
    {
        var path = settings.Model;
        if (!Directory.Exists(path))
            throw new NotFoundException($"perplexity.model = {path}: there is no such folder; name one with a model or of a run");
        var model = TextModel.OfAnyFolder(path, settings.Tokenizer, null, _ => { });
        try
        {
            model.RefuseMasked();
            return model.Settings.ReadsPairs
                ? throw new ElasticException($"{path} is a {model.Settings.Architecture}, which predicts answers: name a model of text "
                    + "that goes on, e.g. gpt2 or llama")
                : model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}

/// <summary>Block <c>perplexity</c>.</summary>
internal sealed record PerplexitySettings : SettingsGroup
{
    [Setting("perplexity.model", "", """
        The folder of a causal model in Hugging Face's form, or of a run (its newest checkpoint), e.g. elastic-data/runs/tiny-1a2b3c4d; a
        relative path is the manifest's.
        """, IsPath = true)]
    [NotEmpty("name the folder of a model or of a run")]
    public required string Model { get; init; }

    [Setting("perplexity.tokenizer", null, "The tokenizer of a model's folder that has none of its own, as --tokenizer of elastic eval.")]
    public required string? Tokenizer { get; init; }

    [Setting("perplexity.characters", 4096, """
        Characters of a document that are read, from the first one, in windows of the model's context.
        """)]
    [AtLeast(1), ChangesReading]
    public required int Characters { get; init; }

    [Setting("perplexity.least", 0.0, "The least perplexity of a document that stays: what is predicted too well repeats itself.")]
    [AtLeast(0)]
    public required double Least { get; init; }

    [Setting("perplexity.most", 0.0, """
        The largest perplexity of a document that stays. It depends on the model and its tokenizer: build once without, look at the signals
        in documents, and choose; nothing is read again.
        """)]
    [AtLeast(0, Zero = "no limit")]
    public required double Most { get; init; }
}
