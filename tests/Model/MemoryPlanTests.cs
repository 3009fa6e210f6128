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
}
