using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>Block <c>model</c>: the shape of the network.</summary>
public sealed record ModelSettings : SettingsGroup
{
    /// <summary>Far more than any tokenizer has.</summary>
    public const int MostVocabulary = 1 << 24;

    /// <summary>A trillion: above it, counts of chunks and bytes of messages would have to be thought through anew.</summary>
    public const long MostParameters = 1L << 40;

    /// <summary>Channels of a head that the attention's kernels hold at once; published models have 64 to 256.</summary>
    public const int MostHeadSize = 256;

    public static ModelSettings Defaults { get; } = SettingsRecord.DefaultsOf<ModelSettings>();

    [Setting("model.architecture", "gpt2", """
        gpt2: Radford et al. 2019, with tied embeddings. llama: Touvron et al. 2023, with root mean square norms, rotary positions, SwiGLU
        and heads of keys that may be fewer; Mistral, Qwen2, Qwen3 and SmolLM are of this kind. bert: Devlin et al. 2019,
        which predicts hidden tokens from both sides. transformer: the encoder-decoder of Vaswani et al. 2017, for pairs.
        """)]
    [OneOf("gpt2", "llama", "bert", "transformer")]
    public required string Architecture { get; init; }

    [Setting("model.layers", 4, """
        Transformer blocks; of a transformer, in the encoder and again in the decoder. Four of width 128 learn the look of text within
        minutes on two cores.
        """)]
    [Between(1, 10_000)]
    public required int Layers { get; init; }

    [Setting("model.heads", 4, "Attention heads per block; divides width.")]
    [Between(1, 1 << 20)]
    public required int Heads { get; init; }

    [Setting("model.width", 128, "C: channels; a multiple of heads, unless head-size is set.")]
    [Between(1, 1 << 20)]
    public required int Width { get; init; }

    [Setting("model.context", 128,
        "T: tokens that the model sees at once. A document shorter than this joins its neighbours in one block.")]
    [Between(1, 1 << 24)]
    public required int Context { get; init; }

    [Setting("model.vocabulary", 0, "Tokens of the vocabulary; 0 takes the tokenizer's, which is nearly always what is wanted.")]
    [Between(0, MostVocabulary, Zero = "the tokenizer's own")]
    public required int Vocabulary { get; init; }

    [Setting("model.dropout", 0.0, """
        Share of the activations that are dropped in training. None: a model that sees each text about once has nothing to memorise. Use
        0.1 or so for many epochs.
        """)]
    [Between(0, 1, BelowMost = true)]
    public required double Dropout { get; init; }

    [Setting("model.init", null, """
        The weights that the run starts from; null for a fresh initialisation. A Hugging Face folder (config.json and safetensors), which
        also decides the model's shape, an adapter's folder, or a checkpoint manifest of another run. In a cluster the seed and any worker
        may read it, so that all need it under this path. A folder may also be s3://BUCKET/PREFIX of an S3-compatible store: each node that
        reads it fetches it into its data directory, and needs the store's credentials.
        """)]
    public required string? Init { get; init; }

    [Setting("model.init-base", null, """
        Where model.init is an adapter by itself (adapter_config.json, as PEFT and elastic export --adapter write it): the Hugging Face
        folder of the model beside which it was trained. null takes the place that the adapter's folder names. It may be
        s3://BUCKET/PREFIX, too.
        """)]
    [Since(5, null)]
    public required string? InitBase { get; init; }

    [Setting("model.init-digest", null, """
        The SHA-256 of the weights of model.init, which is filled in when the run starts. A node that finds other weights under that path is
        refused, and so is a start that gives another one here.
        """)]
    [Since(4, null)]
    public required string? InitDigest { get; init; }

    /// <summary>What only the architecture llama has.</summary>
    public required LlamaSettings Llama { get; init; }

    /// <summary>What only the architecture bert has.</summary>
    public required BertSettings Bert { get; init; }

    /// <summary>Adapters.</summary>
    public required LoraSettings Lora { get; init; }

    /// <summary>The model as it is without adapters.</summary>
    public ModelSettings WithoutAdapters() => this with { Lora = Defaults.Lora };

    /// <summary>The vocabulary rounded up to a multiple of 64, so that the matrix products over it are aligned.</summary>
    public int PaddedVocabulary => (Vocabulary + 63) / 64 * 64;

    /// <summary>D: channels of a head.</summary>
    public int HeadSize => Llama.HeadSize > 0 ? Llama.HeadSize : Width / Math.Max(1, Heads);

    /// <summary>Heads of keys and values.</summary>
    public int KeyHeads => Llama.KeyHeads > 0 ? Llama.KeyHeads : Heads;

    /// <summary>F: channels inside the feed-forward network.</summary>
    public int FeedForward => IsLlama ? Llama.FeedForwardOf(Width) : 4 * Width;

    /// <summary>
    /// Parameters of the network, known before anything is made for it. In floating point, so that settings that are far too large give a
    /// number, too. Tests compare it with the layouts of Model.
    /// </summary>
    public double Parameters => (double)PaddedVocabulary * Width + Architecture switch
    {
        "llama" => (Llama.TiedEmbeddings ? 0.0 : 1.0) * PaddedVocabulary * Width + Layers * LlamaLayerParameters + Width,
        // Positions, two segments, the norm; the head's layer, its norm and the bias.
        "bert" => (Context + 4.0) * Width + Layers * BlockParameters + (double)Width * Width + 3.0 * Width + Vocabulary,
        // A decoder's block has a second attention and its norm.
        "transformer" => Layers * (2.0 * BlockParameters + 4.0 * Width * Width + 6.0 * Width),
        _ => (double)Context * Width + Layers * BlockParameters + 2.0 * Width,
    };

    // Attention, a feed-forward network of four widths and two norms, with biases.
    private double BlockParameters => 12.0 * Width * Width + 13.0 * Width;

    /// <summary>
    /// What two checkpoints must share to fit the same network, e.g. "gpt2 4x128 heads 4 context 128 vocabulary 257", or
    /// "llama 30x576 heads 9/3 of 64 feed-forward 1536 vocabulary 50257 tied": rotary positions have no parameters, so that the context may
    /// become longer.
    /// </summary>
    public string Signature => IsLlama
        ? $"{Architecture} {Layers}x{Width} heads {Heads}/{KeyHeads} of {HeadSize} feed-forward {FeedForward} "
            + $"vocabulary {Vocabulary}{(Llama.TiedEmbeddings ? " tied" : "")}{(Llama.AttentionBiases ? " biases" : "")}"
            + (Llama.HeadNorms ? " head norms" : "") + Lora.Signature
        : $"{Architecture} {Layers}x{Width} heads {Heads} context {Context} vocabulary {Vocabulary}{Lora.Signature}";

    /// <summary>True where the model predicts hidden tokens, and cannot continue a text.</summary>
    public bool IsMasked => Architecture == "bert";

    /// <summary>Tokens that the model has and the tokenizer has not: one that hides others, where none of the tokenizer's does.</summary>
    public int AddedTokens => IsMasked && Bert.MaskToken is null ? 1 : 0;

    /// <summary>True where samples are pairs of a source and a target.</summary>
    public bool ReadsPairs => Architecture == "transformer";

    private bool IsLlama => Architecture == "llama";

    // Queries and the output, keys and values, the feed-forward network's three matrices, norms.
    private double LlamaLayerParameters
    {
        get
        {
            double queries = (double)Heads * HeadSize, keys = (double)KeyHeads * HeadSize;
            return Width * (2.0 * queries + 2.0 * keys + 3.0 * FeedForward + 2.0)
                + (Llama.AttentionBiases ? queries + 2.0 * keys : 0) + (Llama.HeadNorms ? 2.0 * HeadSize : 0);
        }
    }

    protected override IEnumerable<string> ProblemsTogether()
    {
        if (InitDigest is not null && !Digest.IsDigest(InitDigest))
            yield return $"model.init-digest = \"{OneLine.Of(InitDigest, 80)}\": use 64 lower-case hex digits, or null to have it filled "
                + "in";
        else if (InitDigest is not null && Init is null)
            yield return "model.init-digest is set and model.init is not: set both, or neither";
        if (InitBase is not null && Init is null)
            yield return "model.init-base is set and model.init is not: it is the model beside which the adapter of model.init was trained";
        if (Heads >= 1 && Llama.HeadSize == 0)
        {
            if (Width >= 1 && (Width < Heads || Width % Heads != 0))
                yield return $"model.width = {Width} does not divide by model.heads = {Heads}: use a multiple of the heads";
            else if (HeadSize > MostHeadSize)
                yield return
                    $"model.width = {Width} with model.heads = {Heads} are {HeadSize} channels a head: use at most {MostHeadSize}";
        }
        foreach (var problem in IsLlama ? Llama.ProblemsOf(this) : Llama.ProblemsElsewhere(Architecture))
            yield return problem;
        foreach (var problem in IsMasked ? Bert.ProblemsOf(this) : Bert.ProblemsElsewhere(Architecture))
            yield return problem;
        if (ReadsPairs && Width % 2 != 0)
            yield return $"model.width = {Width} cannot hold sines and cosines of positions in pairs: use an even number";
        if (ReadsPairs && Context > LlamaSettings.MostContext)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"model.context = {Context}: use at most {LlamaSettings.MostContext} with positions by sines and cosines");
        foreach (var problem in Lora.ProblemsWithoutAdapters())
            yield return problem;
        if (Parameters > MostParameters)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"model.layers = {Layers} with model.width = {Width}, model.context = {Context} and a vocabulary of {Vocabulary} are "
                + $"{Parameters:0.0e+0} parameters, {12 * Parameters:0.0e+0} bytes in training: use at most {MostParameters:0.0e+0}");
    }
}
