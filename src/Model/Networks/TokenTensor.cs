using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>Makes the tensor of tokens that networks index with.</summary>
internal static class TokenTensor
{
    /// <summary>(rows, columns) row-major -> (rows, columns), int64.</summary>
    /// <exception cref="ArgumentException">The rows are empty or longer than the context, or a token is not in the vocabulary.</exception>
    public static Tensor Of(ReadOnlySpan<int> tokens, int rows, int context, int vocabulary, torch.Device device)
    {
        if (rows < 1 || tokens.Length % rows != 0 || tokens.Length / rows < 1 || tokens.Length / rows > context)
            throw new ArgumentException(
                $"{tokens.Length} tokens in {rows} rows: use whole rows of 1 to the context's {context}", nameof(tokens));
        var wide = new long[tokens.Length];
        for (var i = 0; i < wide.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)vocabulary)
                throw new ArgumentException($"token {tokens[i]} is not in the vocabulary of {vocabulary}", nameof(tokens));
            wide[i] = tokens[i];
        }
        return tensor(wide, rows, tokens.Length / rows).to(device);
    }
}
