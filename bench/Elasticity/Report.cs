namespace Elastic.Bench.Elasticity;

/// <summary>A table's lines.</summary>
internal static class Report
{
    /// <summary>Says, beside the table, how far it is.</summary>
    public static void Turn(int turn, int turns, Samples samples) =>
        Console.Error.WriteLine($"turn {turn + 1} of {turns}: {samples.Last:F2}");

    public static void Row(string what, Samples samples, string format = "F2") => Console.WriteLine($"  {what,-80}{samples.Text(format)}");
}
