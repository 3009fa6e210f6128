using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Model.Training;

namespace Elastic.Host.Display;

/// <summary>What a run would take of a machine, for people and for scripts.</summary>
internal static class PlanLines
{
    /// <summary>A line for each part.</summary>
    public static IReadOnlyList<string> Of(string title, TrainingPlan plan, MachineMemory machine)
    {
        var threads = string.Join(" and ", plan.Threads.Distinct());
        return
        [
            .. Run(title, plan),
            $"here     {Units.Many(plan.Replicas, "replica")} at once, on {Units.Many(plan.Devices, "device")} of {threads} "
                + $"{(threads == "1" ? "thread" : "threads")} each",
            "",
            .. Memory(plan, $"{Units.Bytes(machine.FreeBytes)} are free of {Units.Bytes(machine.TotalBytes)}"),
            "",
            .. Work(plan),
        ];
    }

    /// <summary>The run, and its steps.</summary>
    public static IReadOnlyList<string> Run(string title, TrainingPlan plan)
    {
        var (settings, batch) = (plan.Settings, plan.Settings.Batch);
        return
        [
            $"run {settings.Run.Name}   config {title}   {settings.Model.Signature}",
            $"a step   {batch.Sequences} x {settings.Model.Context} tokens in {Units.Many(batch.MicroBatches, "micro-batch")}, "
                + $"{plan.Together} at a time   {Precision.Of(settings.Run.Precision)}   recompute {Lower(batch.Recompute)}",
        ];
    }

    /// <summary>A table of what memory is taken for.</summary>
    /// <param name="free">What there is, in words.</param>
    public static IReadOnlyList<string> Memory(TrainingPlan plan, string free)
    {
        var copies = plan.Replicas * plan.Devices;
        return
        [
            $"{"memory",-28}{"a device",12}{"together",14}",
            .. Parts(plan).Select(p => $"  {p.Name,-26}{Bytes(p.Bytes),12}{Bytes(copies * p.Bytes),14}"),
            $"  {"all",-26}{Units.Bytes(plan.BytesOfDevice),12}{Units.Bytes(plan.Memory.Bytes),14}   {free}",
        ];
    }

    /// <summary>What is sent, and what is computed.</summary>
    public static IReadOnlyList<string> Work(TrainingPlan plan) =>
    [
        $"traffic      a step: {Units.Bytes(plan.Vectors.SentBytes)} of gradients from a device to the others of its replica",
        $"             a round: from each replica {Units.Bytes(plan.ContributionBytes)} to the averaging and "
            + $"{Units.Bytes(plan.InnerStateBytes)} to a second node, and to each node {Units.Bytes(plan.ContributionBytes)}",
        $"arithmetic   a step: {Units.Count(plan.FlopsOfStep)} floating-point operations of a device, in products",
    ];

    /// <summary>The same as one object. Scripts rely on the keys: add to them, never rename one.</summary>
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
