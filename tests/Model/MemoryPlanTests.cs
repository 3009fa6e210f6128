using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

public class MemoryPlanTests
{
    [Fact]
    public void A_gradient_that_two_operators_make_needs_operators_that_add()
    {
        var layout = new FlatLayout(new ToyArchitecture().Parameters);
        MemoryPlan Plan(Func<Tape, Value, Value> second)
        {
            var tape = new Tape(TapePurpose.Training, new BatchShape(1, 2, 1), layout);
            var x = tape.Linear(tape.Embed(ToyArchitecture.Table, null, null), ToyArchitecture.Layer);
            tape.CrossEntropy(tape.Residual(second(tape, x), tape.Linear(x, ToyArchitecture.Layer), null), ToyArchitecture.Head);
            return new MemoryPlan(tape, 1);
        }
        Assert.True(Plan((_, x) => x).Floats > 0);
        Assert.Contains(
            "GeluOperation overwrites the gradient",
            Assert.ThrowsAny<Exception>(() => Plan((tape, x) => tape.Gelu(x))).Message, StringComparison.Ordinal);
    }

    // One sequence of 4,096 tokens: weights of attention would take 16.8 million floats for each head.
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("bert")]
    [InlineData("transformer")]
    public void A_long_context_takes_memory_for_its_tokens_and_not_for_pairs_of_them(string kind)
    {
        const int T = 4096;
        long Floats(int tokens, RecomputeMode recompute)
        {
            var model = Samples.Of(kind, 2, 2, 8, tokens, 64) with { Dropout = 0.1 };
            var architecture = Architectures.Open(model);
            var tape = new Tape(
                TapePurpose.Training, new BatchShape(1, 1, tokens, architecture.SourceContext), Architectures.LayoutOf(model));
            architecture.Record(tape);
            return new MemoryPlan(tape, 2, recompute).Floats;
        }
        foreach (var recompute in Enum.GetValues<RecomputeMode>())
        {
            Assert.InRange(Floats(T, recompute), 0, T * T);
            // Twice as many tokens take twice as much; gaps change a little.
            Assert.InRange((double)Floats(T, recompute) / Floats(T / 2, recompute), 1, 2.1);
        }
    }

    // The head makes the logits of so many rows at once as 256 MB hold, and keeps the sums of its weight's gradient: never all rows' of a
    // long context.
    [Fact]
    public void Logits_of_a_long_context_are_never_there_as_a_whole()
    {
        const int T = 8192, V = 50257, C = 8;
        var model = Samples.Model(1, 1, C, T, V);
        var tape = new Tape(TapePurpose.Training, new BatchShape(1, 1, T), Architectures.LayoutOf(model));
        Architectures.Open(model).Record(tape);
        Assert.InRange(new MemoryPlan(tape, 2).Fullest().Logits, 1L << 25, (1L << 26) + V * (C + 1L));
        Assert.True(2L * T * V > 12 * (1L << 26));
    }

    [Theory]
    [InlineData(TapePurpose.Training, false, "ResidualOperation overwrites what GeluOperation keeps for its backward pass")]
    [InlineData(TapePurpose.Evaluation, false, null)]
    [InlineData(TapePurpose.Evaluation, true, "ResidualOperation overwrites what LinearOperation reads after it")]
    public void What_is_read_afterwards_or_kept_for_the_backward_pass_is_not_overwritten(
        TapePurpose purpose, bool readsLater, string? problem)
    {
        var tape = new Tape(purpose, new BatchShape(1, 2, 1), new FlatLayout(new ToyArchitecture().Parameters));
        var x = tape.Linear(tape.Embed(ToyArchitecture.Table, null, null), ToyArchitecture.Layer);
        // The sum is made where its branch, x, was.
        var y = tape.Residual(tape.Gelu(x), x, null);
        tape.CrossEntropy(readsLater ? tape.Residual(y, tape.Linear(x, ToyArchitecture.Layer), null) : y, ToyArchitecture.Head);
        if (problem is null)
            Assert.True(new MemoryPlan(tape, 1).Floats > 0);
        else
            Assert.Contains(problem, Assert.ThrowsAny<Exception>(() => new MemoryPlan(tape, 1)).Message, StringComparison.Ordinal);
    }
}
