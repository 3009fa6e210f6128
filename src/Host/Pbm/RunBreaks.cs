using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;

namespace Elastic.Host.Pbm;

/// <summary>Commands of <c>pbm run</c> for a run that is to take a break, or to be kept as it is now: pause, resume, checkpoint.</summary>
/// <param name="name">The argument that names the run.</param>
/// <param name="find">Finds the run of that name, for this command.</param>
internal sealed class RunBreaks(
    IClusterControl control, TimeProvider time, ArgumentHelp name, Func<string?, string, CancellationToken, Task<RunView>> find)
{
    // A checkpoint of a small model takes some milliseconds, one of a large model minutes.
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(200), BetweenLines = TimeSpan.FromSeconds(5);

    public IReadOnlyList<PaletteCommand> Commands =>
    [
        new(new CommandHelp("pause",
            "Lets a run take a break at the next step, where nothing is lost; other runs get its devices. It stays paused, also after a "
            + "restart, until run resume; watches go on, and nobody can delete it meanwhile. To end a run there is run stop.", [name],
            "pbm run pause -n first"), Changes: true, PauseAsync),
        new(new CommandHelp("resume",
            "Goes on with a run that was paused, from the very step. One that was stopped goes on with run start.", [name],
            "pbm run resume -n first"), Changes: true, ResumeAsync),
        new(new CommandHelp("checkpoint",
            "Makes a checkpoint of the newest version now, besides those of checkpoint.every-rounds, and says when it stands, and where. "
            + "Steps of the round that has begun are not in it. A run that is paused or stopped makes one, too.", [name],
            "pbm run checkpoint -n first"), Changes: true, CheckpointAsync),
    ];

    private async IAsyncEnumerable<PbmLine> PauseAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var view = await find(call.Required(name), "pause", cancel);
        var (run, isPaused) = (view.Name, view.Phase == RunPhase.Paused);
        await AskAsync(new RunRequest.Pause(run, call.Origin), cancel);
        yield return new PbmLine(
            (isPaused ? $"run {run} is paused already" : $"run {run} takes a break from its next step on")
            + $"; pbm run resume -n {run} goes on with it",
            new JsonObject { ["run"] = run.Value, ["pausing"] = !isPaused });
    }

    private async IAsyncEnumerable<PbmLine> ResumeAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var view = await find(call.Required(name), "resume", cancel);
        var (run, isPaused) = (view.Name, view.Phase == RunPhase.Paused);
        await AskAsync(new RunRequest.Resume(run, call.Origin), cancel);
        yield return new PbmLine(
            $"run {run} {(isPaused ? "goes on" : "takes no break")}; see it go: pbm run watch -n {run}",
            new JsonObject { ["run"] = run.Value, ["resumed"] = true });
    }

    private async IAsyncEnumerable<PbmLine> CheckpointAsync(PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var view = await find(call.Required(name), "checkpoint", cancel);
        if ((await AskAsync(new RunRequest.Checkpoint(view.Name, call.Origin), cancel)).Checkpoint is not { } version)
            throw new ElasticException($"run {view.Name} did not say which version its checkpoint has");
        var (run, said) = (view.RunId, (long?)null);
        while (true)
        {
            view = (await control.RunsAsync(cancel)).FirstOrDefault(r => r.RunId == run)
                ?? throw new ElasticException($"run {view.Name} was deleted meanwhile");
            if (view.CheckpointVersion >= version)
                break;
            if (view.Failure is { } failure)
                throw new ElasticException($"run {view.Name} cannot go on: {failure}");
            if (said is null || time.GetElapsedTime(said.Value) >= BetweenLines)
            {
                said = time.GetTimestamp();
                yield return Progress(view, version);
            }

            await Task.Delay(BetweenLooks, time, cancel);
        }

        yield return new PbmLine(
            $"the checkpoint of round {view.CheckpointVersion} of run {view.Name} stands: {view.Checkpoint}",
            new JsonObject
            {
                ["run"] = view.Name.Value,
                ["checkpointVersion"] = view.CheckpointVersion,
                ["checkpoint"] = view.Checkpoint,
                ["fingerprint"] = view.CheckpointFingerprint?.Hex,
            });
        yield return new PbmLine($"fingerprint {view.CheckpointFingerprint?.Hex}");
    }

    private static PbmLine Progress(RunView view, int version) => new(
        view.Round < version
            ? $"run {view.Name} has no version to keep before the end of round {version}"
            : $"run {view.Name} writes a checkpoint of round {version}" + (view.WaitsFor is { } what ? $"; it waits for {what}" : ""),
        new JsonObject { ["run"] = view.Name.Value, ["checkpointing"] = version });

    private async Task<RunReply.Accepted> AskAsync(RunRequest request, CancellationToken cancel) =>
        await control.AskAsync(request, cancel) switch
        {
            RunReply.Accepted accepted => accepted,
            RunReply.Refused refused => throw new ElasticException(refused.Why),
            var other => throw new ElasticException($"run {request.Run} gave another answer ({other.GetType().Name})"),
        };
}
