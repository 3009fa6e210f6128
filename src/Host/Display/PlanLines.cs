using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Model.Splits;
using Elastic.Model.Training;

namespace Elastic.Host.Display;

/// <summary>What a run would take of a machine, for people and for scripts.</summary>
internal static class PlanLines
{
    /// <summary>A line for each part.</summary>
    public static IReadOnlyList<string> Of(string title, TrainingPlan plan, MachineMemory machine)
    {
        var threads = string.Join(" and ", plan.AtOnce.SelectMany(p => p.Threads).Distinct());
        return
        [
            .. Run(title, plan),
            $"here     {Units.Many(plan.Replicas, "replica")} at once, on {Devices(plan)} "
                + $"{(Devices(plan) == "1" ? "device" : "devices")} of {threads} {(threads == "1" ? "thread" : "threads")} each"
                + (plan.InUse.Stages > 1 ? $", in pipelines of {plan.InUse.Stages} stages" : "")
                + (plan.InUse.Chunks > 1 ? $" of {plan.InUse.Chunks} pieces" : "")
                + (plan.InUse.Tensor == 1 ? "" : plan.InUse.Stages > 1
                    ? $", each on {plan.InUse.Tensor} devices that share its layers"
                    : $", in groups of {plan.InUse.Tensor} that share each layer"),
            .. plan.InUse.Notice is { } notice ? [$"         {notice}"] : Array.Empty<string>(),
            "",
            .. Memory(plan, $"{Units.Bytes(machine.FreeBytes)} are free of {Units.Bytes(machine.TotalBytes)}"),
            "",
            .. Work(plan),
            .. Splits(plan, machine.FreeBytes),
            .. Stages(plan, machine.FreeBytes),
        ];
    }

    /// <summary>How many devices compute each replica: "2", or "3 and 2".</summary>
    public static string Devices(TrainingPlan plan) => string.Join(" and ", plan.AtOnce.Select(p => p.Devices).Distinct());

    /// <summary>A table of the nodes that could compute a replica together, and what each would take; none for what cannot be so.</summary>
    public static IReadOnlyList<string> Stages(TrainingPlan plan, long freeBytes)
    {
        var choices = StagePlan.All(plan.Settings, plan.Threads[0]);
        return choices.Count == 0 ? [] :
        [
            "",
            $"{"run.stages, each on a node",-28}{"most",12}{"",14}{"sent",12}{"waits",8}{"fits",6}",
            .. choices.Select(p => $"  {p.Stages,-26}{Units.Bytes(p.MostBytes),12}{"",14}{Units.Bytes(p.SentBytes),12}{p.Bubble,8:P0}"
                + $"{(p.Problem(freeBytes) is null ? "yes" : "no"),6}"),
        ];
    }

    /// <summary>A table of the splits that the devices could have, where there are several, and the one to prefer.</summary>
    public static IReadOnlyList<string> Splits(TrainingPlan plan, long freeBytes)
    {
        var choices = SplitChoices.Of(plan, freeBytes);
        if (choices.All.Count == 1)
            return [];
        return
        [
            "",
            $"{"node.split",-28}{"most",12}{"together",14}{"sent",12}{"waits",8}{"fits",6}",
            .. choices.All.Select(p => $"  {p.Split,-26}{Units.Bytes(p.MostBytesOfDevice),12}{Units.Bytes(p.Memory.Bytes),14}"
                + $"{Units.Bytes(p.Vectors.SentBytes + p.CutBytes),12}{p.Bubble,8:P0}{(p.Memory.Bytes <= freeBytes ? "yes" : "no"),6}"),
            choices.Recommended is { } best
                ? $"  {best.Split} is the one to use: of those that fit, its step takes the least time"
                : "  none of them fits",
        ];
    }

    /// <summary>The run, and its steps.</summary>
    public static IReadOnlyList<string> Run(string title, TrainingPlan plan)
    {
        var (settings, batch) = (plan.Settings, plan.Settings.Batch);
        return
        [
            $"run {settings.Run.Name}   config {title}   {settings.Model.Signature}",
            $"a step   {batch.Sequences} x {settings.SampleTokens} tokens in {Units.Many(batch.MicroBatches, "micro-batch")}, "
                + $"{plan.Together} at a time   {Precision.Of(settings.Run.Precision)}   recompute {Lower(batch.Recompute)}",
        ];
    }

    /// <summary>A table of what memory is taken for.</summary>
    /// <param name="free">What there is, in words.</param>
    public static IReadOnlyList<string> Memory(TrainingPlan plan, string free)
    {
        var all = plan.AtOnce.Select(p => (p.Devices, Parts: Parts(p).ToList())).ToList();
        return
        [
            $"{"memory",-28}{"a device",12}{"together",14}",
            .. Parts(plan).Select((p, i) => $"  {p.Name,-26}{Bytes(p.Bytes),12}{Bytes(all.Sum(r => r.Devices * r.Parts[i].Bytes)),14}"),
            $"  {"all",-26}{Units.Bytes(plan.BytesOfDevice),12}{Units.Bytes(plan.Memory.Bytes),14}   {free}",
        ];
    }

    /// <summary>What is sent, and what is computed.</summary>
    public static IReadOnlyList<string> Work(TrainingPlan plan) =>
    [
        $"traffic      a step: {Units.Bytes(plan.Vectors.SentBytes)} of gradients from a device to the others of its replica",
        .. plan.InUse.Devices == 1 ? Array.Empty<string>()
            : [$"             and {Units.Bytes(plan.CutBytes)} of activations and their gradients to "
                + (plan.InUse.Stages == 1 ? "the others of its tensor group" : plan.InUse.Tensor == 1 ? "its neighbours in the pipeline"
                    : "its neighbours in the pipeline and the others of its tensor group")],
        $"             a round: from each replica {Units.Bytes(plan.ContributionBytes)} to the averaging and "
            + $"{Units.Bytes(plan.InnerStateBytes)} to a second node, and to each node {Units.Bytes(plan.ContributionBytes)}",
        $"arithmetic   a step: {Units.Count(plan.FlopsOfStep)} floating-point operations of a device, in products",
    ];

    /// <summary>The plan as one JSON object. Scripts rely on the keys: add to them, never rename one.</summary>
    /// <param name="problem">Why it does not fit; null where it does.</param>
    public static JsonObject Json(TrainingPlan plan, MachineMemory machine, string? problem)
    {
        var json = new JsonObject
        {
            ["run"] = plan.Settings.Run.Name,
            ["fits"] = problem is null,
        };
        Add(json, plan, machine.FreeBytes);
        if (problem is not null)
            (json["error"], json["exitCode"]) = (problem, ExitCodes.Failed);
        return json;
    }

    /// <summary>Adds the numbers of a machine.</summary>
    public static void Add(JsonObject json, TrainingPlan plan, long freeBytes)
    {
        var bytes = new JsonObject();
        foreach (var (_, key, value) in Parts(plan))
            bytes[key] = value;
        json["bytes"] = plan.Memory.Bytes;
        json["freeBytes"] = freeBytes;
        json["replicasAtOnce"] = plan.Replicas;
        json["devicesOfReplica"] = plan.Devices;
        json["threads"] = new JsonArray([.. plan.Threads.Select(t => JsonValue.Create(t))]);
        json["bytesOfDevice"] = bytes;
        json["sentBytesOfStep"] = plan.Vectors.SentBytes;
        json["contributionBytes"] = plan.ContributionBytes;
        json["innerStateBytes"] = plan.InnerStateBytes;
        json["flopsOfStep"] = plan.FlopsOfStep;
        json["split"] = plan.Split.ToString();
        var choices = SplitChoices.Of(plan, freeBytes > 0 ? freeBytes : double.PositiveInfinity);
        json["splits"] = new JsonArray([.. choices.All.Select(p => new JsonObject
        {
            ["split"] = p.Split.ToString(),
            ["stages"] = p.InUse.Stages,
            ["tensor"] = p.InUse.Tensor,
            ["chunks"] = p.InUse.Chunks,
            ["mostBytesOfDevice"] = p.MostBytesOfDevice,
            ["bytes"] = p.Memory.Bytes,
            ["sentBytesOfStep"] = p.Vectors.SentBytes + p.CutBytes,
            ["bubble"] = p.Bubble,
            ["fits"] = freeBytes <= 0 || p.Memory.Bytes <= freeBytes,
        })]);
        json["recommendedSplit"] = choices.Recommended?.Split.ToString();
        json["stages"] = new JsonArray([.. StagePlan.All(plan.Settings, plan.Threads[0]).Select(p => new JsonObject
        {
            ["stages"] = p.Stages,
            ["bytes"] = p.MostBytes,
            ["sentBytesOfStep"] = p.SentBytes,
            ["bubble"] = p.Bubble,
            ["fits"] = freeBytes <= 0 || p.Problem(freeBytes) is null,
        })]);
    }

    // Each part's share of a device, in the order in which people look for them.
    private static IEnumerable<(string Name, string Key, double Bytes)> Parts(TrainingPlan plan)
    {
        var (vectors, pass) = (plan.Vectors, plan.Pass);
        yield return ("parameters", "parameters", vectors.ParameterBytes);
        yield return ("working copy", "workingCopy", vectors.WorkingCopyBytes);
        yield return ("master", "master", vectors.MasterBytes);
        yield return ("moments", "moments", vectors.MomentBytes);
        yield return ("mirror", "mirror", vectors.MirrorBytes);
        yield return ("of these in files", "inFiles", vectors.PieceBytes - vectors.FileBytes);
        yield return ("update", "update", plan.UpdateBytes);
        yield return ("gradients", "gradients", vectors.GradientBytes + vectors.BucketBytes);
        yield return ("gradients of embeddings", "embeddingGradients", plan.EmbeddingBytes + pass.EmbeddingBytes);
        yield return ("activations", "activations", pass.ActivationBytes);
        yield return ("gradients of activations", "activationGradients", pass.GradientBytes);
        yield return ("logits", "logits", pass.LogitBytes);
        yield return ("scratch", "scratch", pass.ScratchBytes);
    }

    // What is not in memory is less than nothing.
    private static string Bytes(double bytes) => bytes < 0 ? $"-{Units.Bytes(-bytes)}" : Units.Bytes(bytes);

    private static string Lower<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
