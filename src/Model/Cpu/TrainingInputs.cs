using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>What all training passes of a step read, besides the micro-batches.</summary>
/// <param name="Parameters">In fp32.</param>
/// <param name="WorkingCopy">The weights that products read, in 16 bits; null where they are the parameters.</param>
/// <param name="LossScale">What the loss is multiplied by.</param>
internal sealed record TrainingInputs(
    HostVector Parameters, HostVector? WorkingCopy, Precision Precision, double LossScale, DropoutSeed Seed);
