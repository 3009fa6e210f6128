using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>
/// Cuts the pass of a rank of a tensor group into segments, between which ranks exchange what they have made: a segment begins with a step
/// that reads what other ranks wrote in the segment before, and no rank begins it before all ranks have ended that. What a step reads of
/// other ranks stays in place until the segment ends. A pass on one device is one segment; of a stage of a pipeline each half is one at
/// least.
/// </summary>
internal sealed class PassSegments
{
    private readonly bool[] _begins;
    private readonly int[] _until;

    /// <param name="half">The first step of the backward half, before which other passes may run; null where they do not.</param>
    public PassSegments(Tape tape, IReadOnlyList<PassStep> steps, int? half = null)
    {
        (_begins, _until) = (new bool[steps.Count + 1], new int[steps.Count]);
        var (made, first) = (new Dictionary<Value, int>(), 0);
        var reads = new bool[steps.Count];
        for (var now = 0; now < steps.Count; now++)
        {
            var (operation, kind) = (tape.Operations[steps[now].Index], steps[now].Kind);
            reads[now] = kind == PassKind.Backward ? operation.ReadsRanksBackward : operation.ReadsRanks;
            // An operation without inputs reads what another one saved just before.
            var isFresh = kind == PassKind.Backward || operation.Inputs.Count == 0
                || operation.Inputs.Any(v => made.GetValueOrDefault(v, -1) >= first);
            if (now == half || (reads[now] && isFresh))
                (_begins[now], first) = (true, now);
            if (kind != PassKind.Backward && operation.Output is { } output)
                made[output] = now;
        }
        _begins[steps.Count] = true;
        for (int now = steps.Count - 1, end = now; now >= 0; now--)
        {
            _until[now] = reads[now] ? end : now;
            end = _begins[now] ? now - 1 : end;
        }
    }

    /// <summary>True for the first step of a segment, and behind the last one.</summary>
    public bool Begins(int now) => _begins[now];

    /// <summary>The step until which what this one reads stays in place.</summary>
    public int Until(int now) => _until[now];
}
