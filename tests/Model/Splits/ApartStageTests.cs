using System.IO.Pipelines;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Tests.Collectives;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests.Splits;

/// <summary>Stages that share no memory train a network with the bits of one device.</summary>
public sealed class ApartStageTests
{
    private const int MicroBatches = 7, Steps = 3;

    [Theory]
    [InlineData("gpt2", TrainingPrecision.Fp32, 2)]
    [InlineData("gpt2", TrainingPrecision.Fp16, 4)]
    [InlineData("llama", TrainingPrecision.Bf16, 3)]
    [InlineData("bert", TrainingPrecision.Fp32, 3)]
    [InlineData("transformer", TrainingPrecision.Bf16, 4)]
    [InlineData("adapters", TrainingPrecision.Fp32, 2)]
    [InlineData("adapters", TrainingPrecision.Bf16, 5)]                // the first and the last have an embedding, both the same, alone
    [InlineData("llama", TrainingPrecision.Fp32, 5, "muon")]
    [InlineData("transformer", TrainingPrecision.Bf16, 3, "muon")]
    public async Task Stages_that_share_no_memory_give_the_digest_of_one_device(
        string kind, TrainingPrecision of, int stages, string optimizer = "adamw")
    {
        await using var apart = await CheckAsync(PrecisionTests.Kinds[kind] with { Layers = 3 }, Precision.Of(of), stages, optimizer);
        if (kind is "gpt2" or "llama")                                 // others' samples are of several lengths
            await CheckSentAsync(apart, PrecisionTests.Kinds[kind] with { Layers = 3 }, Precision.Of(of));
    }

    // The first stage has the embedding alone, and the stage with the head updates it, because it is tied and positions are not learned.
    [Theory]
    [InlineData("llama", TrainingPrecision.Fp32)]
    [InlineData("llama", TrainingPrecision.Fp16)]
    [InlineData("transformer", TrainingPrecision.Fp16)]
    public async Task A_stage_that_updates_no_parameter_takes_its_steps(string kind, TrainingPrecision of)
    {
        var model = PrecisionTests.Kinds[kind];
        model = kind == "llama" ? model with { Llama = model.Llama with { TiedEmbeddings = true } } : model;
        await using var apart = await CheckAsync(model, Precision.Of(of), TapeStage.Most(Architectures.Open(model)));
        Assert.Empty(apart.Stages[0].Own);
        Assert.NotEmpty(apart.Stages[0].Borrowed);
    }

    private static async Task<Apart> CheckAsync(ModelSettings model, Precision precision, int stages, string kind = "adamw")
    {
        var optimizer = Optimizers.Open(DevicePool.Optimizer with { Kind = kind });
        using var whole = Samples.Initialized(model);
        using var device = new DeviceThread(new DeviceId("cpu:0"), () => Samples.Device(whole, model, 0.1));
        var one = new TrainingStep([device], new LocalCollective([device]), whole.Layout, optimizer, 1, precision);
        var expected = new List<double>();
        for (var number = 0; number < Steps; number++)
            expected.Add(await TakeAsync(one, model, number));

        var apart = new Apart(model, stages);
        var steps = apart.Stages.Select(s => s.Step(optimizer, 1, precision)).ToList();
        for (var number = 0; number < Steps; number++)
        {
            var losses = await Task.WhenAll(steps.Select(s => Task.Run(() => TakeAsync(s, model, number))));
            Assert.All(losses, loss => Assert.Equal(expected[number], loss));
        }
        using var gathered = apart.Gather();
        Assert.Equal(Samples.DigestOf(whole), Samples.DigestOf(gathered));

        // What the first stage stores is what the others have told it, and they know which sets it was.
        foreach (var name in new[] { VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment })
        {
            var chunks = new List<(int, float[])>();
            await Task.WhenAll(apart.Stages.Select((stage, number) => Task.Run(() => stage.GatherAsync(name, (chunk, elements) =>
            {
                Assert.Equal(0, number);
                chunks.Add((chunk, elements.ToArray()));
            }))));
            var (first, elements) = Assert.Single(chunks);
            Assert.Equal(0, first);
            Assert.Equal(whole.Floats(name, 0, (int)whole.Layout.TrainedLength).ToArray(), elements);
        }
        var told = await Task.WhenAll(apart.Stages.Select((stage, number) => stage.TellStoredAsync([(byte)(number + 7), 1])));
        Assert.All(told, bytes => Assert.Equal([7, 1], bytes));
        return apart;
    }

    // What goes over cuts, and tied embeddings, are as many bytes as the plan says.
    private static async Task CheckSentAsync(Apart apart, ModelSettings model, Precision precision)
    {
        var architecture = Architectures.Open(model);
        var planned = PassPlan.OfStages(
            architecture, new BatchShape(1, 2, model.Context), 1, RecomputeMode.None, precision, apart.Stages.Count, MicroBatches);
        var copied = new StageParameters(architecture, new FlatLayout(architecture.Parameters), apart.Stages.Count).Copies
            .ToLookup(c => c.Owner, c => c.Parameter.Count * sizeof(float));
        for (var stage = 0; stage < apart.Stages.Count; stage++)
        {
            await apart.CloseAsync(stage);                             // when all is sent
            Assert.Equal(
                Steps * MicroBatches * planned[stage].CutBytesOfMicroBatch,
                apart.SentBytes(stage, StageFrame.Activations) + apart.SentBytes(stage, StageFrame.Gradients));
            Assert.Equal(Steps * copied[stage].Sum(), apart.SentBytes(stage, StageFrame.Parameters));
        }
    }

    [Fact]
    public async Task All_stages_stop_after_the_same_step_whichever_was_asked_to()
    {
        var model = PrecisionTests.Kinds["gpt2"] with { Layers = 3 };
        using var stop = new CancellationTokenSource();
        await using var apart = new Apart(model, 3, stage => stage == 1 ? stop.Token : default);
        var steps = apart.Stages.Select(s => s.Step(new AdamW(DevicePool.Optimizer), 1)).ToList();
        await Task.WhenAll(steps.Select(s => Task.Run(() => TakeAsync(s, model, 0))));
        Assert.All(apart.Stages, stage => Assert.False(stage.IsStopped));
        await stop.CancelAsync();
        await Task.WhenAll(steps.Select(s => Task.Run(() => TakeAsync(s, model, 1))));
        Assert.All(apart.Stages, stage => Assert.True(stage.IsStopped));
    }

    [Fact]
    public async Task All_name_the_stage_that_is_lost_and_not_the_one_that_tells_it()
    {
        var (there, here) = (new Pipe(), new Pipe());
        await using var teller = new StageLink(here.Reader.AsStream(), there.Writer.AsStream(), 2, "stage 2 of 3 on w2");
        await using var link = new StageLink(there.Reader.AsStream(), here.Writer.AsStream(), 1, "stage 1 of 3 on w1");
        teller.TellLost(0);
        var lost = await Assert.ThrowsAsync<StageLostException>(
            () => link.ReceiveAsync(StageFrame.Activations, 1, 3, 64, TimeSpan.FromMinutes(1)));
        Assert.Equal((0, "stage 0 is lost, as stage 1 of 3 on w1 says"), (lost.Stage, lost.Message));
    }

    [Fact]
    public async Task A_stage_that_is_dropped_waits_for_no_other()
    {
        var (there, here) = (new Pipe(), new Pipe());
        await using var link = new StageLink(there.Reader.AsStream(), here.Writer.AsStream(), 0, "stage 0 of 2 on w1");
        var waiting = link.ReceiveAsync(StageFrame.Activations, 1, 3, 64, TimeSpan.FromMinutes(1));
        link.Abort();
        Assert.Equal(
            "stage 0 of 2 on w1 ended its connection before it sent the activations of micro-batch 3",
            (await Assert.ThrowsAsync<StageLostException>(() => waiting)).Message);
    }

    [Fact]
    public async Task A_stage_that_sends_nothing_is_named_with_what_it_owes()
    {
        var (clock, there, here) = (new HandClock(), new Pipe(), new Pipe());
        await using var link = new StageLink(there.Reader.AsStream(), here.Writer.AsStream(), 0, "stage 0 of 2 on w1", clock);
        var waiting = link.ReceiveAsync(StageFrame.Activations, 1, 3, 64, TimeSpan.FromSeconds(74.5));
        clock.Advance(TimeSpan.FromHours(5));                          // in which this process stood still: six seconds
        clock.Pass(TimeSpan.FromSeconds(68));
        Assert.False(waiting.IsCompleted);
        clock.Pass(TimeSpan.FromSeconds(1));
        var lost = await Assert.ThrowsAsync<StageLostException>(() => waiting);
        Assert.Equal("stage 0 of 2 on w1 did not send the activations of micro-batch 3 within 74.5 s", lost.Message);
        Assert.Equal(0, lost.Stage);
    }

    // It may fetch what it begins from, for longer than a pass takes. The clock is that of the first stage's link: it sends two frames, and
    // waits for the gradients.
    [Fact]
    public async Task A_stage_waits_half_an_hour_for_one_that_has_not_begun_and_a_minute_and_some_passes_for_one_that_has()
    {
        var (model, clock) = (PrecisionTests.Kinds["gpt2"] with { Layers = 3 }, new HandClock());
        await using var apart = new Apart(model, 2, time: clock);
        var steps = apart.Stages.Select(s => s.Step(new AdamW(DevicePool.Optimizer), 1)).ToList();
        var first = Task.Run(() => TakeAsync(steps[0], model, 0));
        await clock.UntilTimers(3);
        clock.Pass(TimeSpan.FromMinutes(29));
        await Task.WhenAll(first, Task.Run(() => TakeAsync(steps[1], model, 0)));

        var before = clock.Timers;
        var second = Task.Run(() => TakeAsync(steps[0], model, 1));
        await clock.UntilTimers(before + 3);
        clock.Pass(TimeSpan.FromMinutes(10));
        Assert.StartsWith(
            "stage 1 of 2 on this machine did not send the gradients of micro-batch 0 within 6",
            (await Assert.ThrowsAsync<StageLostException>(() => second)).Message, StringComparison.Ordinal);
        apart.Abort();
    }

    // As by docker pause, in the middle of a pass. One that hangs all the same is found when the process runs again.
    [Fact]
    public async Task A_process_that_stood_still_for_hours_in_a_pass_loses_no_device_and_one_that_hangs_is_found_later()
    {
        var (model, clock) = (PrecisionTests.Kinds["gpt2"], new HandClock());
        using var vectors = Samples.Initialized(model);
        using var device = new DeviceThread(new DeviceId("cpu:0"), () => Samples.Device(vectors, model));
        var later = new TroubledDevice(device);
        var slow = new TroubledDevice(later) { HangsIn = 2 };
        var step = new ApartStage(slow, Architectures.Open(model), 0, [null], vectors, time: clock)
            .Step(new AdamW(DevicePool.Optimizer), 1);
        var running = TakeAsync(step, model, 0);
        await slow.Hangs;
        clock.Advance(TimeSpan.FromHours(5));
        Assert.False(running.IsCompleted);
        slow.Release();
        Assert.True(double.IsFinite(await running));
        // Those hours are no measure of a pass.
        later.HangsIn = later.Works + 2;
        running = TakeAsync(step, model, 1);
        await later.Hangs;
        clock.Pass(TimeSpan.FromMinutes(3));
        Assert.StartsWith(
            "stage 0 of 1 (cpu:0) did not end its forward pass of micro-batch 0 within 1",
            (await Assert.ThrowsAsync<DeviceFailedException>(() => running)).Message, StringComparison.Ordinal);
        later.Release();

        var hung = new TroubledDevice(device) { HangsIn = 2 };
        step = new ApartStage(hung, Architectures.Open(model), 0, [null], vectors, time: clock).Step(new AdamW(DevicePool.Optimizer), 1);
        running = TakeAsync(step, model, 1);
        await hung.Hangs;
        clock.Advance(TimeSpan.FromHours(5));
        clock.Pass(StepDeadlines.Default.Most);
        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => running);
        Assert.StartsWith("stage 0 of 1 (cpu:0) did not end its forward pass of micro-batch 0", lost.Message, StringComparison.Ordinal);
        Assert.True(lost.IsLost);
        hung.Release();
    }

    [Fact]
    public async Task A_stage_that_goes_away_in_the_middle_of_a_step_is_named()
    {
        var model = PrecisionTests.Kinds["gpt2"] with { Layers = 3 };
        await using var apart = new Apart(model, 2);
        var first = TakeAsync(apart.Stages[0].Step(new AdamW(DevicePool.Optimizer), 1), model, 0);
        await apart.CloseAsync(1);
        Assert.StartsWith(
            "stage 1 of 2 on this machine ended its connection before",
            (await Assert.ThrowsAsync<StageLostException>(() => first)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_not_due_is_refused()
    {
        var (there, here) = (new Pipe(), new Pipe());
        await using var sender = new StageLink(here.Reader.AsStream(), there.Writer.AsStream(), 1, "stage 1");
        await using var receiver = new StageLink(there.Reader.AsStream(), here.Writer.AsStream(), 0, "stage 0 of 2 on w1");
        await sender.SendAsync(StageFrame.Gradients, 3, 2, 8, bytes => bytes.Span.Clear(), TimeSpan.FromMinutes(1));
        Assert.Equal(
            "stage 0 of 2 on w1 sent 8 bytes, the gradients of micro-batch 2 of step 3, where the activations of micro-batch 2 of step 3 "
            + "were due, 16 bytes at most: start all stages with the same settings and version of Elastic",
            (await Assert.ThrowsAsync<ElasticException>(
                () => receiver.ReceiveAsync(StageFrame.Activations, 3, 2, 16, TimeSpan.FromMinutes(1)))).Message);
    }

    private static Task<double> TakeAsync(TrainingStep step, ModelSettings model, int number) =>
        step.RunAsync(Samples.MicroBatches(model, MicroBatches, 2, number), new DropoutSeed(1, 0, 0, number), 1e-2, number + 1);

    // Each stage has vectors of its own, and streams to the others.
    private sealed class Apart : IAsyncDisposable
    {
        private readonly List<(ReplicaVectors Vectors, DeviceThread Device, StageLink?[] Links)> _parts = [];

        /// <param name="time">Of the first stage's links; null for the system's.</param>
        public Apart(ModelSettings model, int count, Func<int, CancellationToken>? stop = null, TimeProvider? time = null)
        {
            var architecture = Architectures.Open(model);
            // Smaller than what goes over a cut.
            var options = new PipeOptions(pauseWriterThreshold: 1 << 11, resumeWriterThreshold: 1 << 10);
            var pipes = Enumerable.Range(0, count * count).Select(_ => new Pipe(options)).ToList();
            for (var number = 0; number < count; number++)
            {
                var own = number;
                var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters), HostVector.Untouched);
                var device = new DeviceThread(new DeviceId($"cpu:{own}"), () =>
                {
                    var cpu = new CpuDevice(new DeviceId($"cpu:{own}"), Architectures.Open(model), 0.1);
                    cpu.Attach(vectors);
                    return cpu;
                });
                StageLink?[] links =
                [
                    .. Enumerable.Range(0, count).Select(other => other == own ? null : new StageLink(
                        pipes[other * count + own].Reader.AsStream(), pipes[own * count + other].Writer.AsStream(), other,
                        $"stage {other} of {count} on this machine", own == 0 ? time : null)),
                ];
                _parts.Add((vectors, device, links));
                Stages.Add(new ApartStage(device, architecture, own, links, vectors, stop: stop?.Invoke(own) ?? default));
                Stages[^1].Initialize(7);
            }
        }

        public List<ApartStage> Stages { get; } = [];

        public async Task CloseAsync(int stage)
        {
            foreach (var link in _parts[stage].Links)
                await (link?.DisposeAsync() ?? default);
        }

        public void Abort() => _parts.ForEach(part => Array.ForEach(part.Links, link => link?.Abort()));

        public long SentBytes(int stage, StageFrame frame) => _parts[stage].Links.Sum(link => link?.SentBytes(frame) ?? 0);

        /// <summary>The parameters and moments of each stage's own part.</summary>
        public ReplicaVectors Gather()
        {
            var all = new ReplicaVectors(_parts[0].Vectors.Layout);
            foreach (var frozen in all.Layout.Segments.Where(s => !s.Parameter.IsTrained))
            {
                // Each stage that reads it has it, the others zeros.
                foreach (var part in _parts)
                {
                    var its = part.Vectors.Floats(VectorSet.Parameters, frozen.Offset, (int)frozen.Count);
                    if (its.ContainsAnyExcept(0f))
                        its.CopyTo(all.Floats(VectorSet.Parameters, frozen.Offset, (int)frozen.Count));
                }
            }
            foreach (var (stage, part) in Stages.Zip(_parts))
            {
                foreach (var own in stage.Own)
                {
                    foreach (var name in new[] { VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment })
                        part.Vectors.Floats(name, own.Offset, (int)own.Count).CopyTo(all.Floats(name, own.Offset, (int)own.Count));
                }
            }
            return all;
        }

        public async ValueTask DisposeAsync()
        {
            for (var stage = 0; stage < _parts.Count; stage++)
                await CloseAsync(stage);
            foreach (var (vectors, device, _) in _parts)
            {
                device.Dispose();
                vectors.Dispose();
            }
        }
    }
}
