using System.Collections.Concurrent;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Splits;

namespace Elastic.Simulation;

/// <summary>A pass of one micro-batch through a piece of the network that a stage has.</summary>
/// <param name="First">The first of the replica's devices that compute it together, by index.</param>
/// <param name="Count">How many of them there are.</param>
/// <param name="IsForward">The forward pass; otherwise the backward pass.</param>
/// <param name="Chunk">Which of the stage's pieces it is.</param>
/// <param name="Begin">When it begins, where a stage takes 1 forward and 2 backward for all its pieces.</param>
internal sealed record VirtualPass(
    int Group, int Stage, int First, int Count, int MicroBatch, bool IsForward, int Chunk, double Begin, double End)
{
    /// <summary>True where the device of this index computes it.</summary>
    public bool IsOn(int device) => device >= First && device < First + Count;
}

/// <summary>
/// One inner step of a virtual replica: which of its devices do which pass of which micro-batch, and when. How the network is split over so
/// many devices, and in which order stages do their passes, is the product's decision; only the times are made up.
/// </summary>
internal sealed class VirtualStep
{
    // What it depends on is small, and finding out how a network can be split records a tape of it.
    private static readonly ConcurrentDictionary<(ReplicaSplit Asked, int Devices, int MicroBatches), VirtualStep> Known = [];

    private static readonly ConcurrentDictionary<ReplicaSplit, IReadOnlyList<int>> KnownSizes = [];

    // Four devices can share its layers, and it can be cut into four stages.
    private static readonly IArchitecture Network =
        Architectures.Open(VirtualRun.Settings.Model with { Layers = 4, Heads = 4, Width = 32 });

    private readonly int _devices;

    private VirtualStep(ReplicaSplit asked, int devices, int microBatches)
    {
        (_devices, Split) = (devices, SplitInUse.Of(asked, devices, Network));
        Invariant.Holds(Split.Devices <= devices, $"{asked} is {Split} where a replica has {Plural.Of(devices, "device")}");
        var groups = devices / Split.Devices;
        Passes = [.. Enumerable.Range(0, groups).SelectMany(g => PassesOf(g, microBatches * g / groups, microBatches * (g + 1) / groups))];
        List<int> pieces = [.. Enumerable.Range(0, Split.Stages * Split.Chunks)], back = [.. Enumerable.Reverse(pieces)];
        for (var microBatch = 0; microBatch < microBatches; microBatch++)
            foreach (var isForward in new[] { true, false })
                Invariant.Holds(
                    Passes.Where(p => p.MicroBatch == microBatch && p.IsForward == isForward).OrderBy(p => p.Begin)
                        .Select(p => p.Chunk * Split.Stages + p.Stage).SequenceEqual(isForward ? pieces : back),
                    $"micro-batch {microBatch} of {microBatches} goes through all pieces in turn, with {asked} on {devices} devices");
        Length = Passes.Select(p => p.End).DefaultIfEmpty(1).Max();
    }

    /// <summary>The split of the network over the devices.</summary>
    public SplitInUse Split { get; }

    /// <summary>All passes; none of devices that are left over.</summary>
    public IReadOnlyList<VirtualPass> Passes { get; }

    /// <summary>When the last pass ends.</summary>
    public double Length { get; }

    /// <summary>The step of a replica that has so many devices, on a node with this split.</summary>
    public static VirtualStep Of(ReplicaSplit asked, int devices, int microBatches) =>
        Known.GetOrAdd((asked, devices, microBatches), key => new VirtualStep(key.Asked, key.Devices, key.MicroBatches));

    /// <summary>How many devices have the network once between them, on a node with this split.</summary>
    public static IReadOnlyList<int> GroupSizes(ReplicaSplit asked) =>
        KnownSizes.GetOrAdd(asked, static split => SplitInUse.GroupSizes(split, Network));

    /// <summary>The pass that a device is in, or waits to begin; null where it has none left.</summary>
    /// <param name="device">By index.</param>
    /// <param name="share">Share of the step that is over.</param>
    public VirtualPass? At(int device, double share) =>
        Passes.Where(p => p.IsOn(device) && p.End > share * Length).MinBy(p => p.Begin);

    /// <summary>What a device was in when it was lost, as the product says it.</summary>
    /// <inheritdoc cref="At"/>
    public string NameOf(int device, DeviceId id, double share)
    {
        if (At(device, share) is not { } pass)
            return string.Create(CultureInfo.InvariantCulture, $"rank {device} of {_devices} ({id}) in its update");
        var group = _devices / Split.Devices > 1 ? $" of group {pass.Group}" : "";
        var place = Split is { Stages: > 1, Tensor: > 1 } ? $"rank {device - pass.First} of stage {pass.Stage}{group}"
            : Split.Stages > 1 ? $"stage {pass.Stage} of {Split.Stages}{group}"
            : Split.Tensor > 1 ? $"rank {device - pass.First} of {Split.Tensor}{group}" : $"rank {device} of {_devices}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{place} ({id}) in its {(pass.IsForward ? "forward" : "backward")} pass of micro-batch {pass.MicroBatch}")
            + (Split.Chunks == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", piece {pass.Chunk} of {Split.Chunks}"));
    }

    // Each stage does its passes in the product's order, each as soon as the piece before or behind has done the same micro-batch.
    private List<VirtualPass> PassesOf(int group, int first, int end)
    {
        var (stages, chunks) = (Split.Stages, Split.Chunks);
        var passes = new List<VirtualPass>();
        var left = Enumerable.Range(0, stages).Select(s => new Queue<StageWork>(PipelineSchedule.Of(s, stages, end - first, chunks)))
            .ToArray();
        for (var any = true; any;)
        {
            any = false;
            for (var stage = 0; stage < stages; stage++)
                while (left[stage].TryPeek(out var work) && InputOf(work.Chunk * stages + stage, work) is { } ready)
                {
                    left[stage].Dequeue();
                    var begin = Math.Max(ready, passes.Where(p => p.Stage == stage).Select(p => p.End).DefaultIfEmpty().Max());
                    passes.Add(new VirtualPass(
                        group, stage, group * Split.Devices + stage * Split.Tensor, Split.Tensor, first + work.Unit, work.IsForward,
                        work.Chunk, begin, begin + (work.IsForward ? 1.0 : 2.0) / chunks));
                    any = true;
                }
        }
        Invariant.Holds(left.All(q => q.Count == 0), $"a pipeline of {stages} stages stands still: each waits for another");
        return passes;

        double? InputOf(int piece, StageWork work) => (work.IsForward, piece) switch
        {
            (true, 0) => 0,
            (true, _) => EndOf(piece - 1, work.Unit, true),
            (false, _) when piece == stages * chunks - 1 => EndOf(piece, work.Unit, true),
            (false, _) => EndOf(piece + 1, work.Unit, false),
        };

        double? EndOf(int piece, int unit, bool isForward) => passes.Find(p =>
            p.Chunk * stages + p.Stage == piece && p.MicroBatch == first + unit && p.IsForward == isForward)?.End;
    }
}
