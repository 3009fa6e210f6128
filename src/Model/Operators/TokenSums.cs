using Elastic.Kernels;
using Elastic.Model.Cpu;

namespace Elastic.Model.Operators;

/// <summary>
/// The gradient of a table of embeddings, kept apart row by row (<see cref="Training.ScatteredRows"/>): within a micro-batch a token's rows
/// are summed in their order, micro-batches along the tree. Each rank of a tensor group sums the rows of its tokens.
/// </summary>
internal static unsafe class TokenSums
{
    /// <param name="table">(V, C).</param>
    /// <param name="isTied">The head's share of the gradient is in place already.</param>
    /// <param name="tokens">(N), micro-batch after micro-batch.</param>
    /// <param name="dx">(N, C).</param>
    /// <param name="work">For the plan, see <see cref="EmbeddingPlan.WorkspaceInts"/>.</param>
    public static void Write(CpuPass pass, string table, bool isTied, int[] tokens, float* dx, int* work)
    {
        var segment = pass.Tape.Layout[table];
        var (vocabulary, C, microBatches) = ((int)segment.Shape[0], (int)segment.Shape[1], pass.Shape.MicroBatches);
        var (firstToken, ownTokens) = pass.Tape.Share?.RowsOf(vocabulary) ?? (0, vocabulary);
        if (!isTied && !pass.AddsToGradients)
        {
            var own = pass.ParameterGradient(table) + (long)firstToken * C;
            pass.ForElements((long)ownTokens * C, (first, count) => Ranges.Clear(own + first, count));
        }
        var scattered = pass.Scattered;
        var into = scattered.Prepare(segment.Offset, C, tokens.Length);
        fixed (int* ids = tokens)
        {
            var plan = EmbeddingPlan.Build(work, ids, tokens.Length, vocabulary);
            var all = new ReadOnlySpan<int>(plan.Tokens, plan.Count);
            var (begin, end) = (IndexOf(all, firstToken), IndexOf(all, firstToken + ownTokens));
            all[begin..end].CopyTo(into);
            var sums = scattered.Rows;
            pass.For(end - begin, 16, (first, count) => Embedding.WriteGradients(
                sums + first * C, plan, begin + (int)first, count, dx, tokens.Length / microBatches, microBatches, C));
            scattered.Keep(end - begin);
        }
    }

    // Of the first token that is not below this one.
    private static int IndexOf(ReadOnlySpan<int> tokens, int token)
    {
        var at = tokens.BinarySearch(token);
        return at < 0 ? ~at : at;
    }
}
