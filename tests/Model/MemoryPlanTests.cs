using Elastic.Model.Cpu;
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
