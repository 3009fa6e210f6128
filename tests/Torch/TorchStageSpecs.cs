using Elastic.Actors.Tests.Nodes;

namespace Elastic.Torch.Tests;

/// <summary>Stages on nodes whose devices compute as GPUs do, on libtorch's CPU.</summary>
public sealed class TorchStageSpecs : StageContract
{
    public TorchStageSpecs()
        : base("torch:1") => TorchBackend.Register();
}
