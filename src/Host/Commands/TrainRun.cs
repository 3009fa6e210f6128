using Elastic.Actors;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Ops;
using Elastic.Host.Pbm;
using Elastic.Host.Web;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>One <c>elastic train</c>: take the directory, build the corpus, start or resume, watch, sum up.</summary>
internal sealed class TrainRun
{
    private readonly TrainRequest _request;
    private readonly TextWriter _output, _error;
    private readonly DataDirectory _data;
    private readonly RunName _run;
    private readonly RunLog _log = new(null);
    private RunFolder _folder = null!;
    private IRunDisplay _display = null!;
    private RunView? _view;
    private string? _refusal;

    private TrainRun(TrainRequest request, TextWriter output, TextWriter error)
    {
        (_request, _output, _error) = (request, output, error);
        _data = new DataDirectory(request.Settings.Node.DataDir, request.Settings.Node.CorporaDir);
        _run = new RunName(request.Settings.Training.Run.Name);
    }

    /// <summary>Runs to the end, a stop or a failure; returns the exit code.</summary>
    public static Task<int> RunAsync(TrainRequest request, TextWriter output, TextWriter error) =>
        new TrainRun(request, output, error).RunAsync();

    private async Task<int> RunAsync()
    {
        // Before the data directory is created: a library that does not load should leave no trace.
        DeviceNames.Parse(_request.Settings.Node.Devices);
        using var held = _data.Take();
        using var interruption = Interruption.Listen(TellOfStop);
        await using (_display = RunDisplays.Choose(_request.Json, _request.Plain, _output, _error))
        {
            try
            {
                await TrainAsync(interruption.Token);
            }
            catch (OperationCanceledException) when (interruption.IsRequested)
            {
                // Stopped while the corpus was read or before the run had begun: there is nothing to hand over.
            }
            catch (TimeoutException e) when (IsFinished)
            {
                Say($"the node did not shut down in time ({e.Message}); the run is finished all the same");
            }
        }

        return await EndAsync(interruption.Token);
    }

    private async Task TrainAsync(CancellationToken interrupted)
    {
        var settings = _request.Settings.Training with { Corpus = DefaultMixture.Apply(_request.Settings.Training.Corpus) };
        await using var node = await ElasticNode.StartAsync(_request.Settings.Node, NodeDuty.Train, Say, interrupted);
        await using var web = await DashboardAsync(node, interrupted);
        if (settings.Model.Init is not null)
            StartingPoint.Check(settings.Model, (await node.Control.RememberedAsync(_run, interrupted))?.Settings.Model, _data.Models);
        var growing = settings.Corpus.Order == CorpusOrder.Stream
            ? await CorpusBuild.BeginAsync(node, _request.Settings, _display, () => _view is null || IsFinished, interrupted) : null;
        var corpus = growing is null ? await CorpusBuild.RunAsync(node, _request.Settings, _display, interrupted)
            : await growing.BeginningAsync(settings, interrupted);
        foreach (var repair in CorpusLines.Repairs(corpus))
            Say($"corpus: {repair}");
        settings = ElasticNode.Resolve(settings, corpus);
        foreach (var notice in StartingPoint.Notices(_data.Models.Here(settings.Model))
            .Concat(SettingsWithoutEffect.Of(settings)).Concat(SettingsWithoutEffect.Of(_request.Settings.Node)))
            Say(notice);
        if (!corpus.IsGrowing && await CutDocuments.NoticeAsync(settings, corpus, interrupted) is { } cut)
            Say(cut);
        var reply = await node.StartRunAsync(settings, corpus, Origins.Now("elastic train"), _request.Changes);
        _folder = _data.Run(
            reply is RunReply.Accepted accepted ? accepted.RunId : throw new ElasticException(((RunReply.Refused)reply).Why));
        _log.Open(_folder.LogFile);
        var fed = growing is null ? Task.CompletedTask : FeedAsync(node, settings, growing);
        if (corpus.IsGrowing)
            Say("the run begins while its corpus is built: versions are scored once that has ended");
        else if (SampleCut.Of(settings).CountIn(corpus.HeldOutShards) == 0)
            Say("no validation: " + (settings.Corpus switch
            {
                { HeldOut: 0 } => "no text is held out (corpus.held-out = 0)",
                { Samples: SampleKind.Documents } => "no document is held out; add text, or hold out more of it (corpus.held-out)",
                _ => "the held-out text is shorter than one block; add text, or hold out more of it (corpus.held-out)",
            }));
        if (RunLines.IdleDevices(settings, DeviceNames.Parse(_request.Settings.Node.Devices).Count) is { } idle)
            Say(idle);
        if (RunLines.TooManyThreads(_request.Settings.Node, Environment.ProcessorCount) is { } slow)
            Say(slow);
        var header = RunLines.Header(
            _request.Settings.Title, settings, SampleStream.Of(settings, corpus).Samples, node.PlanFor(settings)?.Memory,
            (await node.Control.RunsAsync(interrupted)).FirstOrDefault(r => r.Name == _run && r.Rounds > 0)?.Rounds);
        foreach (var line in header)
            _log.Write(line);
        _display.Header(header);
        using var backup = ContinuousBackup.Of(_request.Settings.Node, node, Say);
        using var beside = new BackgroundTasks(Say, CancellationToken.None);
        if (backup is not null)
            beside.Begin("the backup", backup.RunAsync);
        await using var stop = interrupted.Register(() => _ = node.StopRunAsync(_run, Origins.Now("elastic train")));
        using var diagrams = new TensorBoardLog(_folder.TensorBoard, Say);
        // The first Ctrl-C does not cancel the watch, which ends when the run has stopped.
        await foreach (var view in node.WatchAsync(_run, CancellationToken.None))
        {
            if (view.Notice is { } notice && notice != _view?.Notice)
                _log.Write(notice);
            foreach (var line in RunLines.Log(_view, view))
                _log.Write(line);
            // The last view follows the last score and shows no speed: keeps the speed of the view before.
            _view = view is { Phase: RunPhase.Finished, TokensPerSecond: 0 }
                ? view with { TokensPerSecond = _view?.TokensPerSecond ?? 0 } : view;
            _display.Show(_view);
            diagrams.Write(view);
        }

        await beside.EndAsync();
        if (backup is not null)
            await backup.LastAsync(interrupted);

        if (growing is not null && _view?.Failure is null)
            await EndBuildAsync(growing, fed, interrupted);
    }

    private async Task FeedAsync(ElasticNode node, TrainingSettings settings, GrowingCorpus growing)
    {
        if (await node.FeedAsync(settings, growing, "elastic train") is not { } refusal)
            return;
        _refusal = refusal;
        Say(refusal);
        await node.StopRunAsync(_run, Origins.Now("elastic train"));
    }

    // What the run has read can be audited, and read again, once its corpus is complete.
    private async Task EndBuildAsync(GrowingCorpus growing, Task fed, CancellationToken interrupted)
    {
        if (IsFinished && !growing.Whole.IsCompleted)
            Say("the run is finished, and its corpus is now built to its end, so that the run can be audited; Ctrl-C leaves that out");
        if (IsFinished)
        {
            try
            {
                await CorpusBuild.DescribeAsync(
                    await growing.Whole.WaitAsync(interrupted), DefaultMixture.Apply(_request.Settings.Training.Corpus), interrupted);
                await fed.WaitAsync(interrupted);
            }
            catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
            {
                // The run is finished all the same.
            }
            catch (ElasticException e)
            {
                Say($"the corpus is not built to its end ({e.Message}): mend that and give the same command again, to audit the run");
            }
        }

        if (_refusal is { } refusal)
            throw new ElasticException($"run {_run}: {refusal}");
    }

    // For a person at a terminal, on this machine only. The address holds the token, so it is shown and not logged.
    private async Task<WebServer?> DashboardAsync(ElasticNode node, CancellationToken cancel)
    {
        if (!_request.Settings.Node.Dashboard || _request.Json || _output is not TerminalWriter)
            return null;
        try
        {
            var service = PbmService.Of(ControlPalettes.Of(node.Control, TimeProvider.System), _data.Root, credentials: null);
            var web = await WebServer.StartAsync(
                _request.Settings.Node, "127.0.0.1", node.Control, service, Transport.Plain, WebLimits.Default, TimeProvider.System,
                cancel);
            _display.Notice($"dashboard {web.AddressWithToken}");
            return web;
        }
        catch (ElasticException e)
        {
            Say($"no dashboard: {e.Message}; the run goes on without it");
            return null;
        }
    }

    private bool IsFinished => _view?.Phase == RunPhase.Finished;

    private async Task<int> EndAsync(CancellationToken interrupted)
    {
        if (_view?.Failure is { } failure)
        {
            _log.Write($"failed: {failure}");
            throw new ElasticException($"run {_run}: {failure}");
        }

        if (_request.Json)
            await _output.WriteLineAsync(
                _view is not null ? RunJson.Write(_view) : ErrorReport.Json(ExitCodes.Interrupted, RunSummary.Stopped(_view)));
        var people = _request.Json ? _error : _output;
        if (!IsFinished)
        {
            await people.WriteLineAsync(RunSummary.Stopped(_view));
            return ExitCodes.Interrupted;
        }

        var isDefault = _data.Root == Path.GetFullPath(CommonOptions.DefaultDataDir);
        var writes = !_request.Settings.Training.Model.IsMasked;
        // The default corpus is .NET's documentation, in which many a sentence begins so.
        var prompt = _request.Settings.Training.Corpus.Sources.Count == 0 ? "Gets the" : "";
        foreach (var line in RunSummary.Finished(_view!, _data.Root, _folder, isDefault, writes, prompt))
            await people.WriteLineAsync(line);
        await people.FlushAsync(CancellationToken.None);
        WriteSample(people, interrupted);
        return ExitCodes.Done;
    }

    // The run is finished and has been summed up: no failure here changes that.
    private void WriteSample(TextWriter people, CancellationToken interrupted)
    {
        if (_request.Settings.Training.Model is { IsMasked: true } or { ReadsPairs: true })
            return;                                                                             // they do not continue a text
        try
        {
            foreach (var line in RunSummary.Sample(SampleText.Write(_data, _run, SampleRequest.ForSummary, Tell, interrupted)))
                people.WriteLine(line);
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            // Ctrl-C here only ends the sample.
        }
        catch (Exception e)
        {
            Tell($"no text sample: {e.Message}");
        }

        void Tell(string text)
        {
            _log.Write(text);
            people.WriteLine(text);
        }
    }

    private void TellOfStop()
    {
        // After a finished run there is only the sample, which ends by itself.
        if (!IsFinished)
            Say("stopping at the next step; once more to quit at once (the same command goes on either way)");
    }

    private void Say(string text)
    {
        _log.Write(text);
        _display.Notice(text);
    }
}
