namespace Elastic.Messages.Settings;

/// <summary>Block <c>model</c>: the shape of the network.</summary>
/// <param name="Architecture">"gpt2" (Radford et al. 2019).</param>
/// <param name="Layers">Transformer blocks.</param>
/// <param name="Heads">Attention heads per block; divides <paramref name="Width"/>.</param>
/// <param name="Width">C: channels.</param>
/// <param name="Context">T: tokens the model sees at once.</param>
/// <param name="Vocabulary">Tokens of the tokenizer; 0 takes it from the tokenizer.</param>
/// <param name="Dropout">Share of activations dropped in training, 0 for none.</param>
/// <param name="Init">A checkpoint manifest to start from; null for a fresh initialisation.</param>
public sealed record ModelSettings(
    string Architecture, int Layers, int Heads, int Width, int Context, int Vocabulary, double Dropout, string? Init)
{
    /// <summary>The vocabulary rounded up to a multiple of 64, so that the matrix products over it are aligned.</summary>
    public int PaddedVocabulary => (Vocabulary + 63) / 64 * 64;

    /// <summary>What two checkpoints must share to fit the same network, e.g. "gpt2 4x128 heads 4 context 128 vocabulary 257".</summary>
    public string Signature => $"{Architecture} {Layers}x{Width} heads {Heads} context {Context} vocabulary {Vocabulary}";

    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (Architecture != "gpt2")
            yield return $"model.architecture = \"{Architecture}\": use \"gpt2\"";
        if (Layers < 1)
            yield return $"model.layers = {Layers}: use at least 1";
        if (Heads < 1)
            yield return $"model.heads = {Heads}: use at least 1";
        else if (Width < Heads || Width % Heads != 0)
            yield return $"model.width = {Width} does not divide by model.heads = {Heads}: use a multiple of the heads";
        if (Context < 1)
            yield return $"model.context = {Context}: use at least 1";
        if (Vocabulary is < 0 or > 1 << 24)
            yield return $"model.vocabulary = {Vocabulary}: use 0 (the tokenizer's own) to {1 << 24}";
        if (Dropout is < 0 or >= 1 or double.NaN)
            yield return $"model.dropout = {Dropout}: use 0 to less than 1";
    }
}
