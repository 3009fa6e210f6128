using Elastic.Foundation;

namespace Elastic.Model.Training;

/// <summary>
/// What training takes of a machine's memory, added up from its parts before anything is allocated (see <see cref="TrainingPlan"/>; tests
/// and bench/Step measure it). Numbers of bytes are doubles, because settings may ask for more than 64 bits can count.
/// </summary>
/// <param name="VectorBytes">
/// Parameters, their working copy, and the optimizer's vectors of the trained ones, once per replica, and what an update needs besides.
/// </param>
/// <param name="GradientBytes">Sums of gradients, per device.</param>
/// <param name="ActivationBytes">What a pass needs besides, per device.</param>
public sealed record TrainingMemory(double VectorBytes, double GradientBytes, double ActivationBytes)
{
    /// <summary>All of it.</summary>
    public double Bytes => VectorBytes + GradientBytes + ActivationBytes;

    /// <summary>Each part, in words.</summary>
    public string Parts => $"parameters and moments {ByteSize.Text(VectorBytes)}, gradients {ByteSize.Text(GradientBytes)}, " +
                           $"activations {ByteSize.Text(ActivationBytes)}";
}
