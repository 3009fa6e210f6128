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
        Gen.Select(Gen.Int[1, 6], Gen.Int[1, 20], Gen.Int[1, 3]).Where((stages, _, chunks) => stages > 1 || chunks == 1)
            .Sample((stages, units, chunks) =>
        {
            var pieces = stages * chunks;
            var (forward, backward) = (new int[pieces, units], new int[pieces, units]);
            var (works, free) = (new Queue<StageWork>[stages], new int[stages]);
            for (var s = 0; s < stages; s++)
            {
                works[s] = new(PipelineSchedule.Of(s, stages, units, chunks));
                Assert.Equal(2 * units * chunks, works[s].Count);
                for (var chunk = 0; chunk < chunks; chunk++)
                {
                    var (kept, most, own) = (0, 0, works[s].Where(w => w.Chunk == chunk).ToList());
                    // In flight are neighbours, so that each has a place of its own.
                    Assert.Equal(Enumerable.Range(0, units), own.Where(w => w.IsForward).Select(w => w.Unit));
                    Assert.Equal(Enumerable.Range(0, units), own.Where(w => !w.IsForward).Select(w => w.Unit));
                    foreach (var work in own)
                        most = Math.Max(most, kept += work.IsForward ? 1 : -1);
                    Assert.InRange(most, 1, Math.Min(PipelineSchedule.InFlight(s, stages, chunks, chunk), units));
                    Assert.True(chunks > 1 || most == Math.Min(PipelineSchedule.InFlight(s, stages), units));
                }
            }
            while (works.Any(w => w.Count > 0))
            {
                var before = works.Sum(w => w.Count);
                for (var s = 0; s < stages; s++)
                {
                    if (!works[s].TryPeek(out var work))
                        continue;
                    var piece = work.Chunk * stages + s;
                    var ready = work.IsForward ? piece == 0 ? 0 : forward[piece - 1, work.Unit] is > 0 and var f ? f : -1
                        : piece == pieces - 1 ? forward[piece, work.Unit] : backward[piece + 1, work.Unit] is > 0 and var b ? b : -1;
                    if (ready < 0)
                        continue;
                    (work.IsForward ? forward : backward)[piece, work.Unit] = free[s] = Math.Max(free[s], ready) + 1;
                    works[s].Dequeue();
                }
                Assert.True(works.Sum(w => w.Count) < before, "stages wait for each other");
            }
            var (waits, formula) = (1 - 2.0 * units * chunks / free.Max(), PipelineSchedule.Bubble(stages, units, chunks));
            Assert.InRange(waits, 0, formula + 1e-12);
            if (chunks == 1 || units % stages == 0)
                Assert.Equal((stages - 1.0) / (chunks * units + stages - 1), waits, 1e-12);
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
