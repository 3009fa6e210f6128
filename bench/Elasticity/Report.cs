namespace Elastic.Bench.Elasticity;

/// <summary>A table's lines.</summary>
internal static class Report
{
    public static void Row(string what, Samples samples, string format = "F2") => Console.WriteLine($"  {what,-54}{samples.Text(format)}");
}
