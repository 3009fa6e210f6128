using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Training;

namespace Elastic.Model.Cpu;

/// <summary>
/// What operations see while a tape runs on a CPU: where their activations, gradients and parameters are, the micro-batches' tokens, and
/// the threads.
/// </summary>
internal sealed unsafe class CpuPass(Tape tape, MemoryPlan plan, ThreadTeam team)
{
    // Elements of a piece of work: some microseconds, so that threads share evenly and the hand-over does not count.
    private const int Piece = 16_384;

    private float* _arena, _kept, _parameters, _gradients;
    private ushort* _workingCopy;
    private int _now;
    private DropoutSeed _seed;
    private int _firstMicroBatch;
    private GradientBucket? _bucket;
    private bool _isPrepared;

    /// <summary>The tape that runs.</summary>
    public Tape Tape { get; } = tape;

    /// <summary>Where the time goes; null where nobody asks.</summary>
    public OperatorTimes? Times { get; init; }

    /// <summary>The threads.</summary>
    public ThreadTeam Team { get; } = team;

    /// <summary>What goes through.</summary>
    public BatchShape Shape => Tape.Shape;

    /// <summary>(N): the token at each row.</summary>
    public int[] Inputs { get; } = new int[tape.Shape.Rows];

    /// <summary>(N): each row's place in its sequence.</summary>
    public int[] Positions { get; } = [.. Enumerable.Range(0, tape.Shape.Rows).Select(row => row % tape.Shape.Tokens)];

    /// <summary>Where the keys and values of the source go; for encoding only.</summary>
    public SourceKeys? Source { get; set; }

    /// <summary>More than each of the positions.</summary>
    public int PositionsEnd { get; set; } = tape.Shape.Tokens;

    /// <summary>What the rows continue, in the rows' order; for texts that go on only.</summary>
    public IReadOnlyList<CachedText> Texts { get; set; } = [];

    /// <summary>(N): the token to predict at each row. Not for generation.</summary>
    public int[] Targets { get; } = new int[tape.Shape.Rows];

    /// <summary>(N): 1 where the target is counted, else 0.</summary>
    public float[] TargetWeights { get; } = new float[tape.Shape.Rows];

    /// <summary>
    /// (N): rows of a sequence see each other only where this is the same; of no meaning without <see cref="HasSegments"/>.
    /// </summary>
    public int[] Segments { get; } = new int[tape.Shape.Rows];

    /// <summary>(N): the type of each row's token.</summary>
    public int[] Types { get; } = new int[tape.Shape.Rows];

    /// <summary>False where all are of the first type, 0.</summary>
    public bool HasTypes { get; set; }

    /// <summary>The token at each row of the sources.</summary>
    public int[] Sources { get; } = new int[tape.Shape.SourceRows];

    /// <summary>0 for the rows of a source, 1 for those behind its end.</summary>
    public int[] SourceSegments { get; } = new int[tape.Shape.SourceRows];

    /// <summary>True where there are segments.</summary>
    public bool HasSegments { get; set; }

    /// <summary>(N): each row's cross-entropy in nats, 0 where it is not counted, when the last operation has run.</summary>
    public double[] Losses { get; } = new double[tape.Shape.Rows];

    /// <summary>(V): what generation asks for.</summary>
    public float[] Logits { get; set; } = [];

    /// <summary>The factor of each row's loss in the step's loss, whose gradient is computed.</summary>
    public double LossScale { get; private set; }

    /// <summary>True where gradients of parameters are added to what is there: the sum of the micro-batches before.</summary>
    public bool AddsToGradients { get; private set; }

    /// <summary>Where the gradients of embeddings' rows go.</summary>
    public ScatteredRows Scattered { get; private set; } = new();

    /// <summary>The passes of all ranks of the tensor group, in order, this one too; none without a group.</summary>
    public IReadOnlyList<CpuPass> Ranks { get; set; } = [];

    /// <summary>The operation that runs, of another rank.</summary>
    public RankView RankAt(int rank) => new(Ranks[rank], Ranks[rank].Tape.Operations[plan.Steps[_now].Index], _now);

    /// <summary>Where a value lies at a step.</summary>
    public float* ValueAt(Value value, int now) => At(plan.ActivationOf(value, now));

    /// <summary>Where lies at a step what an operation has saved.</summary>
    public float* SavedAt(Operation operation, int now) => At(plan.SavedOf(operation, now));

    /// <summary>The activations of a value, (N, C).</summary>
    public float* this[Value value] => At(plan.ActivationOf(value, _now));

    /// <summary>The gradient of a value, (N, C); null where none is needed.</summary>
    public float* Gradient(Value value) => plan.GradientOf(value) is { } place ? At(place) : null;

    /// <inheritdoc cref="MemoryPlan.AddsTo"/>
    public bool AddsTo(Operation operation, Value input) => plan.AddsTo(operation, input);

    /// <summary>What the forward pass leaves for the backward pass, if one follows.</summary>
    public float* Saved(Operation operation) => At(plan.SavedOf(operation, _now));

    /// <summary>What the operation that runs may work with, see <see cref="Operation.ScratchFloats"/>.</summary>
    public float* Scratch => At(plan.ScratchOf(_now));

    /// <summary>A parameter.</summary>
    public float* Parameter(string name) => _parameters + Tape.Layout[name].Offset;

    /// <summary>A matrix of parameters as products read it: from the working copy where there is one.</summary>
    public MatrixView Weight(string name, int rows, int columns) => Tape.Precision.Storage is { } type
        ? new((float*)(_workingCopy + Tape.Layout[name].Offset), rows, columns, columns, 1, type)
        : Matrices.Of(Parameter(name), rows, columns);

    /// <summary>The gradient of a parameter; null where it is frozen.</summary>
    public float* ParameterGradient(string name) => Tape.Layout[name] is not { Parameter.IsTrained: true } segment
        ? null
        : _gradients + (_bucket is null ? segment.Offset : _bucket.PlaceOf(segment));

    /// <summary>The keys of a mask, one for each micro-batch.</summary>
    public ulong[] DropoutKeys(DropoutMask dropout)
        => [.. Enumerable.Range(_firstMicroBatch, Shape.MicroBatches).Select(microBatch => dropout.Key(_seed, microBatch))];

    /// <summary>Runs the tape forwards.</summary>
    public void Forward(float* arena, float* parameters)
    {
        _arena = arena;
        _parameters = parameters;
        Run();
    }

    /// <summary>Runs the tape forwards with dropout and then backwards.</summary>
    /// <inheritdoc cref="Begin" path="/param"/>
    public void ForwardBackward(
        float* arena, TrainingInputs inputs, float* gradients, bool adds, ScatteredRows scattered, double lossScale, int firstMicroBatch)
    {
        Begin(arena, inputs, gradients, adds, scattered, lossScale, firstMicroBatch);
        Run();
    }

    /// <summary>Begins a pass, which <see cref="RunThrough"/> goes on with.</summary>
    /// <param name="gradients">The flat gradient, or room for a bucket of it.</param>
    /// <param name="adds">See <see cref="AddsToGradients"/>.</param>
    /// <param name="lossScale">See <see cref="LossScale"/>.</param>
    public void Begin(
        float* arena, TrainingInputs inputs, float* gradients, bool adds, ScatteredRows scattered, double lossScale, int firstMicroBatch)
    {
        _arena = arena;
        _parameters = inputs.Parameters.Data;
        _workingCopy = inputs.WorkingCopy is { } copy ? (ushort*)copy.Data : null;
        _gradients = gradients;
        (AddsToGradients, Scattered, LossScale) = (adds, scattered, lossScale);
        (_seed, _firstMicroBatch, _bucket, _now, _isPrepared) = (inputs.Seed, firstMicroBatch, null, 0, false);
    }

    /// <summary>Goes on until a bucket of the gradient is complete, which lies where <see cref="Begin"/> was told.</summary>
    public void RunThrough(GradientBucket bucket)
    {
        _bucket = bucket;
        for (var isLast = false; !isLast; _now++)
        {
            isLast = plan.Steps[_now] == new PassStep(bucket.LastOperation, PassKind.Backward);
            RunStep();
        }
    }

    /// <summary>Begins the forward half of a pass of a stage, which <see cref="RunSegment"/> goes on with.</summary>
    /// <param name="kept">Holds what the backward half needs until then.</param>
    public void BeginStage(float* arena, float* kept, TrainingInputs inputs, double lossScale, int firstMicroBatch)
    {
        Begin(arena, inputs, null, false, Scattered, lossScale, firstMicroBatch);
        _kept = kept;
    }

    /// <summary>The arena of the backward half, in which nothing is left of the forward half: it may be another one.</summary>
    public void MoveTo(float* arena) => _arena = arena;

    /// <summary>Begins the backward half: the gradients of what later stages read are there.</summary>
    public void BeginBackward()
    {
        // Other ranks read it in the first segment.
        if (Ranks.Count > 0)
            Prepare();
    }

    /// <summary>Where the gradients of the backward half go.</summary>
    /// <param name="gradients">The flat gradient.</param>
    /// <inheritdoc cref="Begin" path="/param"/>
    public void WriteInto(float* gradients, bool adds, ScatteredRows scattered)
    {
        _gradients = gradients;
        (AddsToGradients, Scattered) = (adds, scattered);
    }

    /// <summary>What the forward half has made of a value, which stays until the backward half.</summary>
    public float* Made(Value value) => At(plan.ActivationOf(value, plan.ForwardSteps - 1));

    private float* At(ArenaPlace place) => (place.IsKept ? _kept : _arena) + place.Offset;

    /// <summary>Goes on until the other ranks of the group have to have what this one made (<see cref="PassSegments"/>).</summary>
    /// <param name="isForward">Only the forward half of a stage's pass.</param>
    /// <returns>True when the pass, or its half, has ended.</returns>
    public bool RunSegment(bool isForward = false)
    {
        do
        {
            RunStep();
            _now++;
        }
        while (!plan.BeginsSegment(_now));
        if (_now == (isForward ? plan.ForwardSteps : plan.Steps.Count))
            return true;
        // Other ranks read it in the next segment.
        Prepare();
        return false;
    }

    private void Run()
    {
        for (_now = 0; _now < plan.Steps.Count; _now++)
            RunStep();
    }

    private void RunStep()
    {
        var (index, kind) = plan.Steps[_now];
        var (operation, start) = (Tape.Operations[index], Stopwatch.GetTimestamp());
        foreach (var rest in plan.EndingAt(_now))
            Wake(rest);
        if (!_isPrepared)
            Prepare();
        _isPrepared = false;
        if (kind == PassKind.Backward)
        {
            operation.Backward(this);
        }
        else
        {
            operation.Forward(this);
            if (NarrowOutput(operation) is { } output)
                Round(this[output], output.Count);
        }
        foreach (var rest in plan.BeginningAt(_now))
            Rest(rest);
        Times?.Add(operation, kind, start);
    }

    // The gradient of the output is complete.
    private void Prepare()
    {
        var (index, kind) = plan.Steps[_now];
        var operation = Tape.Operations[index];
        _isPrepared = true;
        if (kind != PassKind.Backward)
            return;
        if (NarrowOutput(operation) is { } output)
            Round(Gradient(output), output.Count);
        operation.PrepareBackward(this);
    }

    private Value? NarrowOutput(Operation operation) => operation.Output is { } made && Tape.IsNarrow(made) ? made : null;

    private void Round(float* values, long count)
    {
        if (values is not null)
            ForElements(count, (first, elements) => NarrowRows.Round(Tape.Precision.Storage!.Value, values + first, elements));
    }

    private void Rest(ValueRest rest)
    {
        float* values = this[rest.Value];
        var narrow = (ushort*)At(plan.PlaceOf(rest));
        ForElements(rest.Value.Count, (first, count) =>
            NarrowRows.Narrow(Tape.Precision.Storage!.Value, narrow + first, values + first, count));
    }

    private void Wake(ValueRest rest)
    {
        float* values = this[rest.Value];
        var narrow = (ushort*)At(plan.PlaceOf(rest));
        ForElements(rest.Value.Count, (first, count) =>
            NarrowRows.Widen(Tape.Precision.Storage!.Value, values + first, narrow + first, count));
    }

    /// <summary>Rows of a value that belong to each micro-batch.</summary>
    public int RowsOfMicroBatch(Value value) => value.Rows / Shape.MicroBatches;

    /// <summary>Does work on the rows [first, first + count) for all rows, on all threads.</summary>
    public void ForRows(int rows, int columns, RangeWork work) => For(rows, Math.Max(1, Piece / Math.Max(1, columns)), work);

    /// <summary>Does work on the elements [first, first + count) for all elements, on all threads.</summary>
    public void ForElements(long elements, RangeWork work) => For(elements, Piece, work);

    /// <summary>Does work on the columns [first, first + count) for all columns, on all threads; ranges begin at multiples of 16.</summary>
    public void ForColumns(int columns, RangeWork work)
        => For(columns, Math.Max(16, ((columns + Team.Threads - 1) / Team.Threads + 15) / 16 * 16), work);

    /// <summary>
    /// Does work on the elements of a value that a mask applies to, micro-batch by micro-batch: each has a key of its own.
    /// </summary>
    public void ForMask(DropoutMask dropout, Value value, MaskWork work)
    {
        var elements = (long)value.AllRows / Shape.MicroBatches * value.Columns;
        var own = (long)value.FirstRow * value.Columns;
        for (var i = 0; i < Shape.MicroBatches; i++)
        {
            var (begin, end) = (Math.Max(own, i * elements), Math.Min(own + value.Count, (i + 1) * elements));
            if (begin >= end)
                continue;
            var (key, at, within) = (dropout.Key(_seed, _firstMicroBatch + i), begin - own, begin - i * elements);
            ForElements(end - begin, (first, count) => work(key, at + first, within + first, count));
        }
    }

    /// <summary>Does work on the range [first, first + count) of each piece.</summary>
    public void For(long count, int piece, RangeWork work)
    {
        if (count <= piece)
            work(0, (int)count);
        else
            Team.Run(new Ranges(work, count, piece), (int)((count + piece - 1) / piece));
    }

    /// <summary>Work on a range.</summary>
    internal delegate void RangeWork(long first, int count);

    /// <summary>
    /// Work on elements of one micro-batch, which begin at <paramref name="first"/> in it and at <paramref name="at"/> in all.
    /// </summary>
    internal delegate void MaskWork(ulong key, long at, long first, int count);

    private readonly struct Ranges(RangeWork work, long count, int piece) : IParallelWork
    {
        public void Run(int index) => work((long)index * piece, (int)Math.Min(piece, count - (long)index * piece));
    }
}
