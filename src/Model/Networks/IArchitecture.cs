using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Networks;

/// <summary>A kind of model, in one size: its parameters, its inputs, and its computation.</summary>
public interface IArchitecture
{
    /// <summary>What two checkpoints must share to fit the same network, e.g. "gpt2 4x128 heads 4 context 128 vocabulary 257".</summary>
    string Signature { get; }

    /// <summary>The most tokens of a sequence.</summary>
    int Context { get; }

    /// <summary>The most tokens of a source, which an encoder reads; 0 where there is no encoder.</summary>
    int SourceContext => 0;

    /// <summary>
    /// Up to so many tokens of a text, what attention keeps of a token stays as it is when the text grows; 0 where tokens see later
    /// ones.
    /// </summary>
    int CacheableTokens => Context;

    /// <summary>V: tokens are the numbers below it.</summary>
    int Vocabulary { get; }

    /// <summary>The parameters, in order: the layout of the flat vector follows from them.</summary>
    IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <summary>The last words of the names of the linear layers that get an adapter where nobody says which.</summary>
    IReadOnlyList<string> AdapterTargets => [];

    /// <summary>
    /// False for a precision in which it does not train, e.g. because what its layers make is larger than the type's largest number.
    /// </summary>
    bool Supports(TrainingPrecision precision) => true;

    /// <summary>Makes micro-batches of samples.</summary>
    IBatching Batching { get; }

    /// <summary>Writes the network down, forwards, from the embedding to the loss.</summary>
    void Record(Tape tape);
}
