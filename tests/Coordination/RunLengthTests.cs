using CsCheck;
using Elastic.Messages.Runs;

namespace Elastic.Coordination.Tests;

// Runs of epochs end with their last sample, wherever in a round and in a step that is, and can be made longer.
public sealed class RunLengthTests
{
    private static readonly Gen<Segment> Shapes =
        from replicas in Gen.Int[1, 4]
        from steps in Gen.Int[1, 5]
        from sequences in Gen.Int[1, 6]
        select new Segment
        {
            FromRound = 0,
            Rounds = 1,
            Replicas = replicas,
            InnerSteps = steps,
            Sequences = sequences,
            MicroBatches = 1,
        };

    [Fact]
    public void Every_sample_is_read_once_whatever_the_length_and_however_often_it_grows() => (
        from shape in Shapes
        from lengths in Gen.Long[1, 150].Array[1, 4]
        from begun in Gen.Double[0, 1].Array[4]
        select (shape, lengths, begun)).Sample(t =>
    {
        var (extensions, samples, farthest) = (new List<RunExtension>(), t.lengths[0], 0);
        var end = new RunEnd(RunLength.RoundsFor(t.shape, 0, samples), samples);
        var timeline = new Timeline(RunLength.Segments(t.shape, end, []));
        CheckWhole(timeline, samples);
        foreach (var (more, begun) in t.lengths.Skip(1).Zip(t.begun))
        {
            var before = timeline;
            farthest = Math.Clamp((int)(begun * (timeline.Rounds + 1)), farthest, timeline.Rounds);
            var from = farthest;
            samples += more;
            var rounds = from + RunLength.RoundsFor(t.shape, timeline.SamplesBefore(from), samples);
            extensions.Add(new RunExtension(from, timeline.Rounds, rounds, timeline.TotalSamples, samples));
            timeline = new Timeline(RunLength.Segments(t.shape, end, extensions));
            Assert.Equal(rounds, timeline.Rounds);
            CheckWhole(timeline, samples);
            // What had begun is as it was: samples, steps and learning rates.
            for (var round = 0; round < from; round++)
            {
                Assert.Equal(before.SamplesBefore(round + 1), timeline.SamplesBefore(round + 1));
                Assert.Equal(before.StepsBefore(round + 1), timeline.StepsBefore(round + 1));
                Assert.Equal(before.At(round).ScheduleSteps, timeline.At(round).ScheduleSteps);
            }
        }
    });

    [Fact]
    public void The_last_step_is_divided_by_the_number_of_the_replicas()
    {
        // 3 replicas x 4 steps x 5 sequences; 60 in the first round, then one whole step and 7 samples.
        var shape = Of(replicas: 3, steps: 4, sequences: 5);
        var last = new Timeline(RunLength.Segments(shape, new RunEnd(2, 82), [])).At(1);
        Assert.Equal((1, 1, 2, 8L, 22L), (last.FromRound, last.Rounds, last.InnerSteps, last.MissingSamples, last.SamplesPerRound));
        Assert.Equal([2, 2, 1], Enumerable.Range(0, 3).Select(last.StepsOf));
        Assert.Equal([10L, 7, 5], Enumerable.Range(0, 3).Select(replica => last.SamplesOf(replica)));
        Assert.Equal([5, 2, 0], Enumerable.Range(0, 3).Select(replica => last.SamplesOf(replica, 1)));
        Assert.Equal((60L, 80L, 81L), (last.PositionOf(1, 0, 0, 0), last.PositionOf(1, 1, 1, 0), last.PositionOf(1, 1, 1, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => last.PositionOf(1, 1, 1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => last.PositionOf(1, 2, 1, 0));
    }

    [Fact]
    public void A_whole_round_is_no_segment_of_its_own()
    {
        var shape = Of(replicas: 2, steps: 3, sequences: 8);
        Assert.Equal(
            new Timeline(RunLength.Segments(shape, new RunEnd(4, null), [])),
            new Timeline(RunLength.Segments(shape, new RunEnd(4, 4 * 48), [])));
    }

    [Fact]
    public void A_round_lacks_fewer_samples_than_a_step_has()
    {
        var segment = Of(replicas: 2, steps: 3, sequences: 8);
        Assert.Throws<ArgumentException>(() => new Timeline(segment with { MissingSamples = 16 }));
        Assert.Throws<ArgumentException>(() => new Timeline(segment with { MissingSamples = -1 }));
        Assert.Equal(33, new Timeline(segment with { MissingSamples = 15 }).TotalSamples);
    }

    [Fact]
    public void An_order_of_another_shape_is_found_out()
    {
        var shape = Of(replicas: 2, steps: 3, sequences: 8);
        Assert.True((shape with { FromRound = 5, Rounds = 2, InnerSteps = 1, MissingSamples = 15, ScheduleSteps = 9 }).IsPartOf(shape));
        Segment[] others =
        [
            shape with { Replicas = 3 }, shape with { Sequences = 9 }, shape with { MicroBatches = 2 }, shape with { InnerSteps = 4 },
            shape with { InnerSteps = 0 }, shape with { MissingSamples = 16 }, shape with { MissingSamples = -1 },
        ];
        Assert.All(others, other => Assert.False(other.IsPartOf(shape)));
        var later = shape with { FromRound = 5, Rounds = 2 };
        Assert.Equal(
            [false, true, true, false, false, false],
            new[] { (4, 0), (5, 1), (6, 0), (7, 0), (5, 2), (5, -1) }.Select(at => later.Holds(at.Item1, at.Item2)));
    }

    // Counted one by one: round by round, step by step, replica by replica.
    private static void CheckWhole(Timeline timeline, long samples)
    {
        var (next, step) = (0L, 0L);
        for (var round = 0; round < timeline.Rounds; round++)
        {
            var segment = timeline.At(round);
            Assert.Equal((next, step), (timeline.SamplesBefore(round), timeline.StepsBefore(round)));
            var inRound = next;
            for (var inner = 0; inner < segment.InnerSteps; inner++, step++)
            {
                Assert.Equal(step, segment.StepNumberOf(round, inner));
                for (var replica = 0; replica < segment.Replicas; replica++)
                    for (var index = 0; index < segment.SamplesOf(replica, inner); index++)
                        Assert.Equal(next++, segment.PositionOf(round, replica, inner, index));
            }
            var replicas = Enumerable.Range(0, segment.Replicas).ToList();
            Assert.Equal(next - inRound, replicas.Sum(replica => segment.SamplesOf(replica)));
            Assert.Equal(segment.InnerSteps, replicas.Max(segment.StepsOf));
            foreach (var replica in replicas)
                Assert.Equal(
                    segment.StepsOf(replica), Enumerable.Range(0, segment.InnerSteps).Count(i => segment.SamplesOf(replica, i) > 0));
        }
        Assert.Equal((samples, samples, step), (next, timeline.TotalSamples, timeline.TotalSteps));
        Assert.Equal(step, timeline.Segments[^1].ScheduleSteps);
    }

    private static Segment Of(int replicas, int steps, int sequences) =>
        new() { FromRound = 0, Rounds = 1, Replicas = replicas, InnerSteps = steps, Sequences = sequences, MicroBatches = 1 };
}
