namespace Elastic.Foundation;

/// <summary>A number with its noun, as people write it: 1 epoch, 40 rounds.</summary>
public static class Plural
{
    /// <param name="one">The noun for one of them.</param>
    public static string Of(long n, string one) => $"{n} {Noun(n, one)}";

    /// <summary>The noun alone. Of what is counted here, one noun takes another ending.</summary>
    public static string Noun(double n, string one) => n == 1 ? one : one == "micro-batch" ? "micro-batches" : one + "s";
}
