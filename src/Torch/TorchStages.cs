using Elastic.Messages.Vectors;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch;

// What a device does for stages of pipelines.
internal sealed partial class TorchDevice
{
    private IReadOnlyList<TorchStage> _stages = [];

    /// <inheritdoc/>
    public override PipelineStage? Stage => _stages is [var stage, ..] ? stage : null;

    /// <summary>Where each parameter lies.</summary>
    internal FlatLayout Places => Layout;

    /// <summary>The embedding whose rows' gradient is summed apart; null for none.</summary>
    internal Segment? Apart => _apart;

    /// <inheritdoc/>
    public override void OpenStage(PipelineGroup group, int stage, int rank)
    {
        ArgumentNullException.ThrowIfNull(group);
        CloseStage();
        _gradients.Dispose();
        _folded.Dispose();
        _stages = [.. Enumerable.Range(0, group.Chunks).Select(chunk => new TorchStage(group, chunk * group.Count + stage, this))];
        for (var chunk = 0; chunk < group.Chunks; chunk++)
            group[chunk * group.Count + stage, rank] = _stages[chunk];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<double> SquaresOf(int tile) => OnDevice(() =>
    {
        var gradient = _folded.Of(tile);
        return _update is { } update ? update.SquaresOf(tile, gradient) : PlainFold.SquaresOf(Layout, tile, gradient);
    });

    /// <summary>The parameters of these ranges, where they lie or copied to this device, for a pass.</summary>
    internal PassParameters ParametersOf(IReadOnlyList<(long First, long Count)> ranges) =>
        new(Layout, _copies.Ranges(Vectors, VectorSet.Parameters, ranges));

    /// <summary>Frees the copy of all parameters that evaluations read, between which nothing changes them.</summary>
    internal void FreeWholeCopies() => _copies.FreeWhole();

    /// <summary>Zeros on this device: elements [first, first + count) of a longer vector.</summary>
    internal TorchVector NewVector(long first, long count) => new(first, count, _device, _gpu);

    /// <summary>A copy on this device, on its stream.</summary>
    internal Tensor Copy(Tensor x)
    {
        using var scope = NewDisposeScope();
        return empty(x.shape, float32, _device).copy_(x).DetachFromDisposeScope();
    }

    /// <summary>A copy of what lies in another device's memory, made beside what that has begun since.</summary>
    /// <exception cref="DeviceFailedException">The other GPU is lost.</exception>
    internal Tensor CopyFrom(TorchDevice other, Tensor x)
    {
        Tensor copy = null!;
        Across(other.Id, other._gpu, () =>
        {
            if (_update is null || other._gpu == _gpu || !x.is_contiguous() || x.dtype != float32)
            {
                copy = Copy(x);
                return;
            }
            // Where it can: else the driver copies through the host's memory.
            _ = _update.Kernels.Reaches(other._gpu);
            using var scope = NewDisposeScope();
            var into = empty(x.shape, float32, _device);
            unsafe
            {
                _update.Kernels.Copies.Begin(
                    (nint)Dispatcher.Data(x), other._gpu, (nint)Dispatcher.Data(into), x.numel() * sizeof(float));
            }
            copy = into.DetachFromDisposeScope();
        });
        return copy;
    }

    // What moves numbers between a vector's memory and this GPU's.
    private void Across(TorchVector vector, Action work) => Across(vector.Home, vector.Gpu, work);

    // Where other stages may be at work yet, the garbage collector frees what they read.
    private void CloseStage()
    {
        foreach (var stage in _stages)
        {
            if (stage.Group.IsAtWork)
                stage.Retire();
            else
                stage.Close();
        }
        if (_stages.Count > 0)
        {
            // Of the parts that a stage reads, and slices that it updates.
            _copies.Dispose();
            _passes?.Release();
            _folded.Dispose();
            _updated = [];
        }
        _stages = [];
    }
}
