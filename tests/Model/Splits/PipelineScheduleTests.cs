using CsCheck;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests.Splits;

public sealed class PipelineScheduleTests
{
    // All passes take as long; each begins when its input is there and the stage is free.
    [Fact]
    public void Stages_that_cost_alike_wait_as_the_formula_says_and_keep_no_more_than_they_may() =>
        Gen.Select(Gen.Int[1, 6], Gen.Int[1, 12]).Sample((stages, units) =>
        {
            var (forward, backward) = (new int[stages, units], new int[stages, units]);
            var (works, free) = (new Queue<StageWork>[stages], new int[stages]);
            for (var s = 0; s < stages; s++)
            {
                works[s] = new(PipelineSchedule.Of(s, stages, units));
                var (kept, most) = (0, 0);
                foreach (var work in works[s])
                    most = Math.Max(most, kept += work.IsForward ? 1 : -1);
                Assert.Equal(Math.Min(PipelineSchedule.InFlight(s, stages), units), most);
                Assert.Equal((2 * units, 0), (works[s].Count, kept));
            }
            while (works.Any(w => w.Count > 0))
            {
                var before = works.Sum(w => w.Count);
                for (var s = 0; s < stages; s++)
                {
                    if (!works[s].TryPeek(out var work))
                        continue;
                    var ready = work.IsForward ? s == 0 ? 0 : forward[s - 1, work.Unit] is > 0 and var f ? f : -1
                        : s == stages - 1 ? forward[s, work.Unit] : backward[s + 1, work.Unit] is > 0 and var b ? b : -1;
                    if (ready < 0)
                        continue;
                    (work.IsForward ? forward : backward)[s, work.Unit] = free[s] = Math.Max(free[s], ready) + 1;
                    works[s].Dequeue();
                }
                Assert.True(works.Sum(w => w.Count) < before, "stages wait for each other");
            }
            Assert.Equal(1 - 2.0 * units / free.Max(), PipelineSchedule.Bubble(stages, units), 1e-12);
        });

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("bert")]
    [InlineData("transformer")]
    public void Stages_are_the_network_and_none_costs_more_than_it_must(string kind)
    {
        var architecture = Architectures.Open(PrecisionTests.Kinds[kind] with { Layers = 4, Vocabulary = 997 });
        var tape = new Tape(
            TapePurpose.Training, new BatchShape(1, 1, architecture.Context, architecture.SourceContext),
            new FlatLayout(architecture.Parameters));
        architecture.Record(tape);
        var last = double.PositiveInfinity;
        for (var count = 1; count <= TapeStage.Most(architecture); count++)
        {
            var stages = TapeStage.Cut(architecture, count);
            Assert.Equal(Enumerable.Range(0, tape.Operations.Count), stages.SelectMany(s => Enumerable.Range(s.First, s.End - s.First)));
            Assert.Empty(stages[0].Incoming);
            Assert.Empty(stages[^1].Outgoing);
            Assert.All(stages.Zip(stages.Skip(1)), pair => Assert.Equal(pair.First.Outgoing, pair.Second.Incoming));
            var most = stages.Max(s => s.Flops(tape));
            Assert.InRange(most, stages.Sum(s => s.Flops(tape)) / count, last);
            last = most;
        }
        // The head is as large as some blocks: the stage that has it has fewer.
        var two = TapeStage.Cut(architecture, 2);
        Assert.True(tape.Blocks.Count(b => b.First >= two[1].First) < tape.Blocks.Count(b => b.End <= two[0].End));
    }
}
