namespace Elastic.Model.Vectors;

/// <summary>
/// A low-rank adapter of a linear layer (Hu et al. 2021, section 4.1): y = x W + b + s (x A') B'. The names of its parameters, with
/// ".weight" behind them, are those of PEFT without "base_model.model.".
/// </summary>
/// <param name="Scale">s, alpha / rank.</param>
/// <param name="IsOutIn">True where the layer's W is stored (out, in).</param>
public sealed record Adapter(double Scale, bool IsOutIn)
{
    /// <summary>(rank, in), before ".weight".</summary>
    public static string A(string layer) => layer + ".lora_A";

    /// <summary>(out, rank), before ".weight".</summary>
    public static string B(string layer) => layer + ".lora_B";
}
