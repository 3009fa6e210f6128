using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Operators;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>
/// Where everything that a tape needs lies in one block of memory: activations, their gradients, what forward passes save, scratch. Two
/// things share a place where they are never needed at the same time. The plan is made once, so that a step allocates nothing and its
/// memory is known beforehand.
///
/// Time is counted in steps of <see cref="PassSchedule"/>. What is computed again, or kept in 16 bits meanwhile, has a place of its own for
/// each time.
/// </summary>
internal sealed class MemoryPlan
{
    // Floats; a page of 4 KB less than a multiple of it would make rows of different blocks fight for the same lines of the cache.
    private const int Alignment = 64;

    private readonly Dictionary<Value, List<Place>> _activations = [];
    private readonly Dictionary<Value, Block> _gradients = [];
    private readonly Dictionary<ValueRest, Block> _rests = [];
    private readonly ILookup<int, ValueRest> _beginning, _ending;
    private readonly Dictionary<Operation, List<Place>> _saved = [];
    private readonly Dictionary<int, Block> _scratch = [];
    private readonly HashSet<(Operation, Value)> _additions = [];
    private readonly List<Block> _blocks = [];
    private readonly PassSegments _segments;

    private readonly int _start;

    /// <param name="recompute">What it forgets, and makes again: less memory, more time, the same bits.</param>
    /// <param name="stage">The part of the tape that is run; null for all of it.</param>
    public MemoryPlan(Tape tape, int threads, RecomputeMode recompute = RecomputeMode.None, TapeStage? stage = null)
    {
        CheckOverwrites(tape);
        _start = stage?.First ?? 0;
        Steps = PassSchedule.Of(tape, recompute, stage);
        ForwardSteps = Steps.TakeWhile(s => s.Kind == PassKind.Forward).Count();
        _segments = new PassSegments(tape, Steps, stage is null ? null : ForwardSteps);
        var rests = ValueRest.Of(tape, Steps);
        (_beginning, _ending) = (rests.ToLookup(r => r.After), rests.ToLookup(r => r.Before));
        foreach (var value in stage is null ? [] : stage.Incoming.Select(i => tape.Operations[i].Output!))
            PlaceFrom(0, _activations, value, NewBlock(ArenaPart.Activations, value.Count, 0));
        for (var now = 0; now < Steps.Count; now++)
        {
            if (stage is not null && now == ForwardSteps)
                PlanOutgoing(tape, stage, now);
            foreach (var rest in _ending[now])
            {
                PlaceFrom(now, _activations, rest.Value, NewBlock(ArenaPart.Activations, rest.Value.Count, now));
                _rests[rest].NeededUntil(now);
            }
            var (operation, kind) = (tape.Operations[Steps[now].Index], Steps[now].Kind);
            if (operation.ScratchFloats(tape.Shape, threads) is var scratch && scratch > 0)
                _scratch[now] = NewBlock(operation is CrossEntropyOperation ? ArenaPart.Logits : ArenaPart.Scratch, scratch, now);
            if (kind == PassKind.Backward)
                PlanBackward(tape, Steps[now].Index, now);
            else
                PlanForward(operation, now);
            foreach (var rest in _beginning[now])
                _rests[rest] = NewBlock(ArenaPart.Activations, (rest.Value.Count + 1) / 2, now);
        }
        // The stage before reads them when all is done.
        foreach (var value in stage is null ? [] : stage.Incoming.Select(i => tape.Operations[i].Output!).Where(tape.NeedsGradient))
            _gradients[value].NeededUntil(Steps.Count - 1);
        if (stage is not null)
            PlaceKept();
        PlaceBlocks();
    }

    /// <summary>What runs, in order.</summary>
    public IReadOnlyList<PassStep> Steps { get; }

    /// <summary>How many of them are the forward pass.</summary>
    public int ForwardSteps { get; }

    /// <summary>Floats of the block.</summary>
    public long Floats { get; private set; }

    /// <summary>Floats of what a stage keeps of a micro-batch between its two passes; 0 where one follows the other at once.</summary>
    public long KeptFloats { get; private set; }

    /// <inheritdoc cref="PassSegments.Begins"/>
    public bool BeginsSegment(int now) => _segments.Begins(now);

    /// <summary>Where a value lies at a step.</summary>
    public ArenaPlace ActivationOf(Value value, int now) => BlockOf(value, now).Place;

    /// <summary>What is put into its 16 bits after a step.</summary>
    public IEnumerable<ValueRest> BeginningAt(int now) => _beginning[now];

    /// <summary>What is fp32 again before a step.</summary>
    public IEnumerable<ValueRest> EndingAt(int now) => _ending[now];

    /// <summary>Where a value's 16 bits lie meanwhile.</summary>
    public ArenaPlace PlaceOf(ValueRest rest) => _rests[rest].Place;

    /// <summary>Null where no gradient is needed.</summary>
    public ArenaPlace? GradientOf(Value value) => _gradients.TryGetValue(value, out var block) ? block.Place : null;

    /// <summary>True where the gradient already holds another operation's share when this one's backward pass runs.</summary>
    public bool AddsTo(Operation operation, Value input) => _additions.Contains((operation, input));

    /// <summary>Where what an operation's forward pass saved lies at a step.</summary>
    public ArenaPlace SavedOf(Operation operation, int now) => At(_saved[operation], now).Place;

    /// <summary>Where the scratch of a step lies.</summary>
    public ArenaPlace ScratchOf(int now) => _scratch[now].Place;

    /// <summary>What lies in the block at the step at which most of it is in use; what is then in use by nothing is a gap.</summary>
    public ArenaUse Fullest()
    {
        var change = new ArenaUse[Steps.Count + 1];
        foreach (var block in _blocks)
        {
            change[block.First] = change[block.First].Plus(block.Part, block.Floats);
            change[block.Last + 1] = change[block.Last + 1].Plus(block.Part, -block.Floats);
        }
        var (now, fullest) = (default(ArenaUse), default(ArenaUse));
        foreach (var step in change)
        {
            now = now.Plus(step);
            fullest = now.Floats > fullest.Floats ? now : fullest;
        }
        return fullest with { Gaps = Floats + KeptFloats - fullest.Floats };
    }

    // The next stage reads what this one makes for it until that stage's backward pass, and then hands over the gradients, to which this
    // stage's own readers add.
    private void PlanOutgoing(Tape tape, TapeStage stage, int now)
    {
        foreach (var value in stage.Outgoing.Select(i => tape.Operations[i].Output!))
        {
            BlockOf(value, now - 1).NeededUntil(now);
            if (tape.NeedsGradient(value))
                _gradients[value] = NewBlock(ArenaPart.Gradients, value.Count, now);
        }
    }

    private Block BlockOf(Value value, int now) => At(_activations[value], now);

    // From the moment at which something is there again, its new place counts. Until then what comes after its block reads the one before.
    private static Block At(List<Place> places, int now)
    {
        var at = places.Count - 1;
        while (places[at].From > now)
            at--;
        return places[at].Block;
    }

    private static void PlaceFrom<T>(int now, Dictionary<T, List<Place>> places, T of, Block block)
        where T : class
    {
        if (!places.TryGetValue(of, out var all))
            places[of] = all = [];
        all.Add(new Place(now, block));
    }

    private void PlanForward(Operation operation, int now)
    {
        foreach (var input in operation.Inputs)
            BlockOf(input, now).NeededUntil(_segments.Until(now));
        if (operation.Output is { } output)
        {
            PlaceFrom(now, _activations, output, operation.MadeInPlaceOf is { } input
                ? BlockOf(input, now) : NewBlock(ArenaPart.Activations, output.Count, now));
        }
        if (operation.SavedFloats > 0)
            PlaceFrom(now, _saved, operation, NewBlock(ArenaPart.Activations, operation.SavedFloats, now));
    }

    private void PlanBackward(Tape tape, int index, int now)
    {
        var (operation, until) = (tape.Operations[index], _segments.Until(now));
        foreach (var kept in operation.KeptForBackward)
            BlockOf(kept, now).NeededUntil(until);
        if (operation.SavedFloats > 0)
            At(_saved[operation], now).NeededUntil(until);
        var output = operation.Output is null ? null : _gradients.GetValueOrDefault(operation.Output);
        output?.NeededUntil(until);
        var makesAll = operation.MakesAllGradients && operation.Inputs.Any(tape.NeedsGradient);
        foreach (var input in operation.Inputs.Where(v => makesAll || tape.NeedsGradient(v)).Distinct())
        {
            if (_gradients.TryGetValue(input, out var block))
            {
                Invariant.Holds(
                    operation.CanAddToGradients,
                    $"{operation.GetType().Name} overwrites the gradient that another reader of its input begins");
                _additions.Add((operation, input));
            }
            else if (output is not null && operation.GradientPassesTo.Contains(input)
                     && tape.IsNarrow(input) == tape.IsNarrow(operation.Output!) && MayShare(tape, index, input))
                _gradients[input] = block = output;
            else
                _gradients[input] = block = NewBlock(ArenaPart.Gradients, input.Count, now);
            block.NeededUntil(now);
        }
    }

    // What an operation makes its output in, no operation may read after it, forwards or backwards.
    private static void CheckOverwrites(Tape tape)
    {
        var (keepers, readers) = (new Dictionary<Value, Operation>(), new Dictionary<Value, Operation>());
        foreach (var operation in tape.Operations.Where(_ => tape.Purpose == TapePurpose.Training))
        {
            foreach (var kept in operation.KeptForBackward)
                keepers.TryAdd(kept, operation);
        }
        foreach (var operation in tape.Operations.Reverse())
        {
            if (operation.MadeInPlaceOf is { } input)
            {
                var (name, keeper, reader) = (operation.GetType().Name, keepers.GetValueOrDefault(input), readers.GetValueOrDefault(input));
                Invariant.Holds(keeper is null, $"{name} overwrites what {keeper?.GetType().Name} keeps for its backward pass");
                Invariant.Holds(reader is null, $"{name} overwrites what {reader?.GetType().Name} reads after it");
            }
            foreach (var read in operation.Inputs)
                readers[read] = operation;
        }
    }

    // Values that have taken over the gradient of the operation's output share its memory. None of them may be added to while another is
    // still to be read: what is added to later must be read last.
    private bool MayShare(Tape tape, int index, Value input)
    {
        var operation = tape.Operations[index];
        var sharing = operation.Inputs.Where(v => v != input && _gradients.TryGetValue(v, out var block)
                                                  && block == _gradients[operation.Output!]).ToList();
        return sharing.TrueForAll(other => ReadBeforeAdded(tape, index, other, input) && ReadBeforeAdded(tape, index, input, other));
    }

    // True when the gradient of "read" is read for the last time, by the operation that made the value, before any operation adds to that
    // of "added". Backwards, the later operation comes first.
    private bool ReadBeforeAdded(Tape tape, int index, Value read, Value added)
    {
        for (var i = index - 1; i >= _start; i--)
        {
            if (tape.Operations[i] == read.Producer)
                return true;
            if (tape.Operations[i].Inputs.Contains(added))
                return false;
        }
        return true;
    }

    private Block NewBlock(ArenaPart part, long floats, int now)
    {
        var block = new Block(part, (floats + Alignment - 1) / Alignment * Alignment, now);
        _blocks.Add(block);
        return block;
    }

    // What is there between the two passes is all there at once.
    private void PlaceKept()
    {
        foreach (var block in _blocks.Where(b => b.First < ForwardSteps && b.Last >= ForwardSteps))
        {
            block.Place = new ArenaPlace(true, KeptFloats);
            KeptFloats += block.Floats;
        }
    }

    // As time goes by, each block takes the smallest gap that holds it, the largest of a moment first. What is needed longest begins first
    // and ends last, so that gaps are few.
    private void PlaceBlocks()
    {
        var gaps = new Gaps();
        var used = new PriorityQueue<Block, int>();
        foreach (var block in _blocks.Where(b => !b.Place.IsKept).OrderBy(b => b.First).ThenByDescending(b => b.Floats))
        {
            while (used.TryPeek(out var oldest, out var last) && last < block.First)
            {
                used.Dequeue();
                gaps.Free(oldest.Place.Offset, oldest.Floats);
            }
            block.Place = new ArenaPlace(false, gaps.Take(block.Floats));
            used.Enqueue(block, block.Last);
        }
        Floats = gaps.End;
    }

    // Where something is made, at the step From.
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Place(int From, Block Block);

    // Needed in the steps First to Last.
    private sealed class Block(ArenaPart part, long floats, int first)
    {
        public ArenaPart Part { get; } = part;

        public long Floats { get; } = floats;

        public int First { get; } = first;

        public int Last { get; private set; } = first;

        public ArenaPlace Place { get; set; }

        public void NeededUntil(int step) => Last = Math.Max(Last, step);
    }

    // What is free of the memory below End.
    private sealed class Gaps
    {
        private readonly SortedDictionary<long, long> _byOffset = [];

        public long End { get; private set; }

        public long Take(long floats)
        {
            var (offset, size) = (-1L, long.MaxValue);
            foreach (var gap in _byOffset)
            {
                if (gap.Value >= floats && gap.Value < size)
                    (offset, size) = (gap.Key, gap.Value);
            }
            if (offset < 0)
                return Extend(floats);
            _byOffset.Remove(offset);
            if (size > floats)
                _byOffset[offset + floats] = size - floats;
            return offset;
        }

        public void Free(long offset, long floats)
        {
            foreach (var gap in _byOffset)
            {
                if (gap.Key + gap.Value == offset)
                    (offset, floats) = (gap.Key, gap.Value + floats);
                else if (gap.Key == offset + floats)
                    floats += gap.Value;
            }
            foreach (var inside in _byOffset.Keys.Where(k => k >= offset && k < offset + floats).ToList())
                _byOffset.Remove(inside);
            _byOffset[offset] = floats;
        }

        // A gap at the end grows.
        private long Extend(long floats)
        {
            var offset = End;
            foreach (var gap in _byOffset)
            {
                if (gap.Key + gap.Value == End)
                    offset = gap.Key;
            }
            _byOffset.Remove(offset);
            End = offset + floats;
            return offset;
        }
    }
}
