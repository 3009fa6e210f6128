using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Operators;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// What a pass over a range of a tape does, in order (<see cref="PassSchedule"/>), and after which step each value is no longer needed: its
/// memory is free then for what comes next. What a block makes again for its backward pass is not kept until then.
/// </summary>
internal sealed class GpuPassPlan
{
    private readonly ILookup<int, Value> _ending;
    private readonly bool[] _keepsSaved;
    private readonly Dictionary<Value, LinearOperation> _summable = [];

    /// <param name="first">Index of the range's first operation.</param>
    /// <param name="end">The index after its last one.</param>
    public GpuPassPlan(Tape tape, RecomputeMode recompute, int first, int end)
    {
        ArgumentNullException.ThrowIfNull(tape);
        (First, End) = (first, end);
        Steps = PassSchedule.Of(tape, recompute, new TapeStage(first, end, [], []));
        ForwardSteps = Steps.TakeWhile(s => s.Kind == PassKind.Forward).Count();
        var later = tape.Operations.Skip(end).SelectMany(o => o.Inputs).ToHashSet();
        var ends = new List<(int Step, Value Value)>();
        var (lastUse, nextOfOperation) = (new Dictionary<Value, bool>(), new Dictionary<int, PassKind>());
        _keepsSaved = new bool[Steps.Count];
        // Backwards in time: true where the next that happens to a value is that somebody reads it.
        for (var now = Steps.Count - 1; now >= 0; now--)
        {
            if (now == ForwardSteps - 1)
            {
                foreach (var value in later.Where(v => !lastUse.GetValueOrDefault(v)))
                    ReleasedBetween.Add(value);
                foreach (var value in later)
                    lastUse[value] = true;
            }
            var (index, kind) = Steps[now];
            var operation = tape.Operations[index];
            _keepsSaved[now] = HasGradient(tape, operation)
                && nextOfOperation.TryGetValue(index, out var next) && next == PassKind.Backward;
            nextOfOperation[index] = kind;
            Value[] read = kind != PassKind.Backward ? [.. operation.Inputs]
                : HasGradient(tape, operation) ? [.. operation.KeptForBackward] : [];
            var touched = operation.Output is { } made && kind != PassKind.Backward ? read.Append(made) : read;
            foreach (var value in touched.Distinct())
            {
                if (!lastUse.GetValueOrDefault(value))
                    ends.Add((now, value));
            }
            foreach (var value in read)
                lastUse[value] = true;
            if (operation.Output is { } output && kind != PassKind.Backward)
                lastUse[output] = false;
        }
        _ending = ends.ToLookup(e => e.Step, e => e.Value);
        var readers = tape.Operations.Where(o => HasGradient(tape, o)).SelectMany(o => o.Inputs).CountBy(v => v).ToDictionary();
        foreach (var linear in tape.Operations.Take(end).Skip(first).OfType<LinearOperation>())
        {
            if (linear.Bias is { } bias && tape.Layout[bias].Parameter.IsTrained && readers.GetValueOrDefault(linear.Output!) == 1)
                _summable[linear.Output!] = linear;
        }
    }

    /// <summary>Index of the range's first operation.</summary>
    public int First { get; }

    /// <summary>The index after its last one.</summary>
    public int End { get; }

    /// <summary>What runs, in order.</summary>
    public IReadOnlyList<PassStep> Steps { get; }

    /// <summary>How many of them are the forward pass.</summary>
    public int ForwardSteps { get; }

    /// <summary>What operations behind the range read, and its own backward pass does not.</summary>
    public List<Value> ReleasedBetween { get; } = [];

    /// <summary>Values that nothing reads after a step, before they are made again.</summary>
    public IEnumerable<Value> EndingAt(int step) => _ending[step];

    /// <summary>True where what an operation saves at a step is for its backward pass, and not made again before.</summary>
    public bool KeepsSaved(int step) => _keepsSaved[step];

    /// <summary>
    /// The linear layer of the range that made a value, where its bias is trained and one operation makes the value's whole gradient: it
    /// may sum the columns of what it writes, which are the bias's gradient. Null for none.
    /// </summary>
    public LinearOperation? SummableFor(Value value) => _summable.GetValueOrDefault(value);

    /// <summary>False where an operation's backward pass has nothing to do.</summary>
    public static bool HasGradient(Tape tape, Operation operation) => operation.Output is not { } output || tape.NeedsGradient(output);
}
