using Elastic.Kernels;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>Which rows each token of a batch stands in (<see cref="EmbeddingPlan"/>), in the memory of a device: who adds what.</summary>
/// <param name="Tokens">(Count), int32: the distinct tokens, increasing.</param>
/// <param name="Starts">(Count + 1), int32.</param>
/// <param name="Rows">All rows, int32, by token, then increasing.</param>
/// <param name="Count">Distinct tokens.</param>
internal sealed record TokenRows(Tensor Tokens, Tensor Starts, Tensor Rows, int Count) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Tokens.Dispose();
        Starts.Dispose();
        Rows.Dispose();
    }

    /// <summary>Sorts them on the host. The tensors are the caller's.</summary>
    public static unsafe TokenRows Of(int[] tokens, int vocabulary, TorchSharp.torch.Device device)
    {
        var workspace = new int[EmbeddingPlan.WorkspaceInts(tokens.Length)];
        fixed (int* memory = workspace, from = tokens)
        {
            var plan = EmbeddingPlan.Build(memory, from, tokens.Length, vocabulary);
            using var scope = NewDisposeScope();
            Tensor Copy(int* values, int count) =>
                tensor(new ReadOnlySpan<int>(values, count).ToArray(), int32).to(device, non_blocking: true);
            Tensor[] copies = [Copy(plan.Tokens, plan.Count), Copy(plan.Starts, plan.Count + 1), Copy(plan.Rows, tokens.Length)];
            foreach (var copy in copies)
                copy.DetachFromDisposeScope();
            return new TokenRows(copies[0], copies[1], copies[2], plan.Count);
        }
    }
}
