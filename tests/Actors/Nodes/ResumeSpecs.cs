using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The resume ladder on real files: what is damaged is noticed, said, and computed again to the same bits.</summary>
public sealed class ResumeSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    // In fp16 the loss scale goes back with the moments, or the steps that are skipped would be others.
    [Theory]
    [InlineData(TrainingPrecision.Fp32)]
    [InlineData(TrainingPrecision.Bf16)]
    [InlineData(TrainingPrecision.Fp16)]
    public async Task A_damaged_newest_version_falls_back_to_the_newest_whole_checkpoint_and_says_so(TrainingPrecision precision)
    {
        var settings = TinyRun.Settings("a", rounds: 8, innerSteps: 10) with
        {
            Checkpoint = new CheckpointSettings { EveryRounds = 4, Keep = 3 }
        };
        settings = settings with { Run = settings.Run with { Precision = precision } };
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");

        var stopped = await _tiny.TrainAsync(settings, "cpu:1", data: "damaged", stop: v => v.Round >= 5, hold: TinyRun.HeldIn(5));
        Assert.Equal((RunPhase.Stopped, 5), (stopped.Phase, stopped.Round));
        // What the newest checkpoint does not need is the newest version's. (Its manifest is written meanwhile, and may be younger.)
        var folder = _tiny.RunFolder("damaged", "a");
        var checkpoint = CheckpointFiles.Read(Path.Combine(folder, "checkpoints")).First().Manifest!;
        var blobs = new BlobStore(Path.Combine(folder, "blobs"), readOnly: true);
        var needed = checkpoint.InnerStates.Prepend(checkpoint.Parameters).Select(set => new Digest(set))
            .SelectMany(set => blobs.BlobsOf(set).Prepend(set))
            .Select(blob => blob.Hex).ToHashSet(StringComparer.Ordinal);
        var newer = Blobs("damaged").Where(f => !needed.Contains(f.Name)).ToList();
        Assert.NotEmpty(newer);
        foreach (var blob in newer)
            Flip(blob.FullName);

        var notices = new List<string>();
        var resumed = await _tiny.TrainAsync(settings, "cpu:1", data: "damaged", stop: v => Note(v, notices));

        Assert.Null(resumed.Failure);
        Assert.Contains(notices, n => n.Contains("going on from the checkpoint of round", StringComparison.Ordinal));
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
        // The rounds that were computed again came to the same versions, and each sample counts once.
        var report = await JournalAudit.RunAsync(Path.Combine(_tiny.Root, "damaged"), null, new RunName("a"), CancellationToken.None);
        Assert.Equal((true, 8, 8L * 10 * 8), (report.IsProven, report.Rounds, report.Samples));
    }

    [Fact]
    public async Task A_blob_lost_while_the_run_goes_on_is_noticed_and_made_again()
    {
        var settings = TinyRun.Settings("a", rounds: 8, replicas: 2);
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");

        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var view = await _tiny.TrainAsync(settings, "cpu:1", data: "damaged", stop: v =>
        {
            if (v.Round != 5 || lost.Task.IsCompleted)
                return false;
            foreach (var blob in Blobs("damaged"))
                blob.Delete();
            lost.SetResult();
            return false;
        }, hold: (round, _) => round < 5 ? Task.CompletedTask : lost.Task);

        Assert.Null(view.Failure);
        var events = await JournalReader.ReadAsync(
            DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "damaged")), view.RunId, TestContext.Current.CancellationToken);
        Assert.Contains(events, e => e is RunEvent.RolledBack);
        Assert.Equal(undisturbed.Fingerprint, view.Fingerprint);
    }

    [Fact]
    public async Task When_every_blob_is_gone_the_run_starts_over_and_says_so()
    {
        var settings = TinyRun.Settings("a");
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:1", data: "undisturbed");
        await _tiny.TrainAsync(settings, "cpu:1", data: "damaged", stop: v => v.Round >= 3, hold: TinyRun.HeldIn(3));
        foreach (var blob in Blobs("damaged"))
            blob.Delete();

        var notices = new List<string>();
        var resumed = await _tiny.TrainAsync(settings, "cpu:1", data: "damaged", stop: v => Note(v, notices));

        Assert.Contains(notices, n => n.Contains("starting over from the seed", StringComparison.Ordinal));
        Assert.Null(resumed.Failure);
        Assert.Equal(RunPhase.Finished, resumed.Phase);
        Assert.Equal(undisturbed.Fingerprint, resumed.Fingerprint);
    }

    [Fact]
    public async Task A_finished_run_whose_folder_was_removed_is_trained_again_before_it_counts_as_finished()
    {
        var settings = TinyRun.Settings("a", rounds: 2);
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:1");
        Directory.Delete(_tiny.RunFolder("data", "a"), recursive: true);

        var notices = new List<string>();
        var again = await _tiny.TrainAsync(settings, "cpu:1", stop: v => Note(v, notices));
        Assert.Contains(notices, n => n.Contains("starting over from the seed", StringComparison.Ordinal));
        Assert.Equal((RunPhase.Finished, undisturbed.Fingerprint), (again.Phase, again.Fingerprint));
        Assert.True(File.Exists(again.Checkpoint), $"the run is finished and there is no {again.Checkpoint}");
    }

    [Fact]
    public async Task The_checkpoint_of_a_moved_data_directory_is_shown_where_it_is_now()
    {
        var settings = TinyRun.Settings("a", rounds: 2);
        await _tiny.TrainAsync(settings, "cpu:1", data: "old");
        Directory.Move(Path.Combine(_tiny.Root, "old"), Path.Combine(_tiny.Root, "new"));

        var view = await _tiny.TrainAsync(settings, "cpu:1", data: "new");
        Assert.Equal(CheckpointFiles.In(Path.Combine(_tiny.RunFolder("new", "a"), "checkpoints"))[0], view.Checkpoint);
    }

    [Fact]
    public async Task The_same_name_with_another_learning_rate_is_refused_naming_the_key_and_the_run_stands_still()
    {
        var settings = TinyRun.Settings("a");
        await _tiny.TrainAsync(settings, "cpu:1", stop: v => v.Round >= 1, hold: TinyRun.HeldIn(1));
        var events = _tiny.CountEvents("data");

        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await using (var node = await _tiny.StartAsync("cpu:1", "data", deadline.Token))
        {
            var corpus = await node.BuildCorpusAsync(
                settings.Corpus with { Sources = [Path.Combine(_tiny.Root, "text")] }, null, deadline.Token);
            var reply = await node.StartRunAsync(
                settings with { Optimizer = settings.Optimizer with { LearningRate = 0.1 } }, corpus, Origins.Now("a test"));

            var refused = Assert.IsType<RunReply.Refused>(reply);
            Assert.Contains("optimizer.learning-rate: 0.003 -> 0.1", refused.Why, StringComparison.Ordinal);
        }

        Assert.Equal(events, _tiny.CountEvents("data"));                      // a refused start moves nothing
    }

    [Fact]
    public async Task Only_as_many_checkpoints_are_kept_as_asked_for_and_no_blob_beyond_them()
    {
        var settings = TinyRun.Settings("a", rounds: 10) with { Checkpoint = new CheckpointSettings { EveryRounds = 2, Keep = 2 } };
        var view = await _tiny.TrainAsync(settings, "cpu:2");

        var manifests = CheckpointFiles.In(Path.Combine(_tiny.RunFolder("data", "a"), "checkpoints"));
        Assert.Equal(["round-000010.json", "round-000008.json"], manifests.Select(Path.GetFileName));
        Assert.Equal(manifests[0], view.Checkpoint);
        // Two checkpoints are two versions and two pairs of moments, a set blob for each: 2 x (2 + 3), and what the last collection spared.
        Assert.InRange(Blobs("data").Count(), 10, 20);
    }

    [Fact]
    public async Task A_checkpoint_of_another_model_is_refused_naming_both()
    {
        var finished = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 2), "cpu:1");
        var settings = TinyRun.Settings("b");
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => _tiny.TrainAsync(
            settings with { Model = settings.Model with { Width = 32, Init = finished.Checkpoint } }, "cpu:1"));

        Assert.Contains("checkpoint of another model", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("gpt2 1x16", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_can_start_from_the_parameters_of_another()
    {
        var finished = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 6), "cpu:1");
        var settings = TinyRun.Settings("b", rounds: 1);
        await _tiny.TrainAsync(settings with { Model = settings.Model with { Init = finished.Checkpoint } }, "cpu:1");

        Assert.Equal(finished.ValLoss, await _tiny.FirstLossAsync("b"));
    }

    [Fact]
    public async Task A_run_can_start_from_a_Hugging_Face_folder_and_its_settings_hold_the_digest_of_the_weights()
    {
        var finished = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 2), "cpu:1");
        var folder = Path.Combine(_tiny.Root, "exported");
        using (var checkpoint = CheckpointReader.LoadNewest(_tiny.RunFolder("data", "a")))
            ModelFolderWriter.Write(
                folder, checkpoint.Vectors, checkpoint.Settings.Model, ElementType.Float32, 256, new Dictionary<string, byte[]>());
        var settings = TinyRun.Settings("b", rounds: 1);
        settings = settings with { Model = settings.Model with { Init = folder } };
        await _tiny.TrainAsync(settings, "cpu:1");

        Assert.Equal(finished.ValLoss, await _tiny.FirstLossAsync("b"));
        var stored = await StoredRuns.FindAsync(DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "data")), new RunName("b"), default);
        Assert.Equal(finished.Fingerprint!.Value.Hex, stored!.Settings.Model.InitDigest);

        // The run goes on under the same settings when the folder is gone. Whoever names weights anew has them read.
        Directory.Delete(folder, true);
        await _tiny.TrainAsync(stored.Settings with { Run = stored.Settings.Run with { Rounds = 2 } }, "cpu:1");
        foreach (var anew in (ModelSettings[])[settings.Model, stored.Settings.Model with { Init = folder + "2" }])
            Assert.Contains($"model.init = {anew.Init}: there is no such folder or file",
                (await Assert.ThrowsAsync<NotFoundException>(() => _tiny.TrainAsync(settings with { Model = anew }, "cpu:1"))).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_can_go_on_with_an_adapter_that_another_run_has_exported_beside_the_same_model()
    {
        var (folder, adapter) = (Path.Combine(_tiny.Root, "base"), Path.Combine(_tiny.Root, "adapter"));
        var model = TinyRun.Settings("a").Model;
        using (var network = new ReplicaVectors(Architectures.LayoutOf(model)))
        {
            Initialization.Fill(network, 3);
            ModelFolderWriter.Write(folder, network, model, ElementType.Float32, 256, new Dictionary<string, byte[]>());
        }
        var settings = TinyRun.Settings("a", rounds: 3);
        settings = settings with { Model = model with { Init = folder, Lora = model.Lora with { Rank = 2, Alpha = 6 } } };
        var finished = await _tiny.TrainAsync(settings, "cpu:1");
        using (var checkpoint = CheckpointReader.LoadNewest(_tiny.RunFolder("data", "a")))
        using (var network = Adapters.NetworkOf(checkpoint.Vectors, checkpoint.Settings.Model))
            AdapterFolderWriter.Write(
                adapter, checkpoint.Vectors, checkpoint.Settings.Model, ElementType.Float32, network.FingerprintOf());

        var next = TinyRun.Settings("b", rounds: 1);
        next = next with { Model = settings.Model with { Init = adapter, InitBase = folder } };
        await _tiny.TrainAsync(next, "cpu:1");

        Assert.Equal(finished.ValLoss, await _tiny.FirstLossAsync("b"));
        // Of the model and its adapter together: what the run before has ended with.
        var stored = await StoredRuns.FindAsync(DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "data")), new RunName("b"), default);
        Assert.Equal(finished.Fingerprint!.Value.Hex, stored!.Settings.Model.InitDigest);
        foreach (var (wrong, why) in ((ModelSettings, string)[])
            [
                (next.Model with { Lora = next.Model.Lora with { Rank = 3 } },
                    $"model.init = {adapter} holds an adapter of rank 2, alpha 6"),
                (next.Model with { InitBase = null }, $"model.init = {adapter} is an adapter: say beside which model it was trained"),
                (next.Model with { Layers = 2 }, $"model.init-base = {folder} holds another model: it has gpt2 1x16"),
            ])
            Assert.Contains(why, (await Assert.ThrowsAsync<ElasticException>(() => _tiny.TrainAsync(
                next with { Model = wrong, Run = next.Run with { Name = "c" } }, "cpu:1"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_from_other_weights_than_the_digest_says_is_refused_where_it_is_asked_for_and_where_the_weights_are_read()
    {
        var finished = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 2), "cpu:1");
        var settings = TinyRun.Settings("b");
        var wrong = Digest.Of("other weights"u8);
        var refusal = await Assert.ThrowsAsync<ElasticException>(() => _tiny.TrainAsync(
            settings with { Model = settings.Model with { Init = finished.Checkpoint, InitDigest = wrong.Hex } }, "cpu:1"));
        Assert.Contains($"has the weights {finished.Fingerprint!.Value.Short} here, and the run starts from {wrong.Short}", refusal.Message,
            StringComparison.Ordinal);

        // A manifest that says something else than what its blobs hold: the node that reads them finds out.
        var manifest = CheckpointManifest.Read(finished.Checkpoint!) with { Fingerprint = wrong.Hex };
        var lying = Path.Combine(Path.GetDirectoryName(finished.Checkpoint!)!, "lying.json");
        File.WriteAllBytes(lying, manifest.ToBytes());
        var view = await _tiny.TrainAsync(settings with { Model = settings.Model with { Init = lying } }, "cpu:1");
        Assert.Contains(
            $"lying.json says that its parameters have the fingerprint {wrong.Short}, and they have {finished.Fingerprint!.Value.Short}",
            view.Failure, StringComparison.Ordinal);
    }

    private static bool Note(RunView view, List<string> notices)
    {
        if (view.Notice is { } notice)
            notices.Add(notice);
        return false;
    }

    private IEnumerable<FileInfo> Blobs(string data) =>
        new DirectoryInfo(Path.Combine(_tiny.RunFolder(data, "a"), "blobs")).EnumerateFiles("*", SearchOption.AllDirectories);

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
