using Elastic.Actors.Control;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Host.Commands;

/// <summary>
/// <c>elastic train --dry-run</c>: what training would take of this machine. No text is read, and nothing is stored or allocated for it.
/// </summary>
internal static class TrainDryRun
{
    /// <returns>The exit code: 1 where the plan does not fit.</returns>
    /// <exception cref="ElasticException">There is no plan for these devices, or the settings fit together with no tokenizer.</exception>
    public static int Run(TrainRequest request, TextWriter output, TextWriter error)
    {
        var node = request.Settings.Node;
        var devices = DeviceNames.Parse(node.Devices);
        DeviceNames.CheckSharding(node, devices);
        if (devices.FirstOrDefault(d => !d.IsCpu) is { Value: not null } other)
            throw new ElasticException(
                $"--dry-run: the memory of {other} is libtorch's to allocate, and not known before; --devices cpu:1 plans for the CPU");
        var plan = TrainingPlan.OfAll(
            NodeControl.WithVocabulary(request.Settings.Training), devices.Count, DeviceNames.ThreadsPerDevice(node), node.Zero,
            node.Offload, node.ReplicaSplit);
        var machine = MachineMemory.Now();
        var problem = StagePlan.Problem(plan, machine.FreeBytes);
        if (request.Json)
            output.WriteLine(PlanLines.Json(plan, machine, problem).ToJsonString());
        else
            foreach (var line in PlanLines.Of(request.Settings.Title, plan, machine)
                .Concat(SettingsWithoutEffect.Of(request.Settings.Training)).Concat(SettingsWithoutEffect.Of(node)))
                output.WriteLine(line);
        if (problem is null)
            return ExitCodes.Done;
        error.WriteLine($"error: {problem}");
        return ExitCodes.Failed;
    }
}
