namespace Elastic.Messages.Observations;

/// <summary>What a metric does with its values.</summary>
public enum MeasureKind
{
    /// <summary>Adds them.</summary>
    Sum,

    /// <summary>Spreads them over buckets.</summary>
    Distribution,

    /// <summary>Shows the newest.</summary>
    Newest,

    /// <summary>A sum that is kept elsewhere: shows the newest.</summary>
    Total,
}

/// <summary>A value for a metric.</summary>
/// <param name="Name">In Prometheus's form: elastic_, what, unit, and _total for a sum.</param>
/// <param name="Tags">With few values each: a metric has a series for every combination.</param>
public sealed record Measure(MeasureKind Kind, string Name, double Value, params KeyValuePair<string, object?>[] Tags)
{
    public static Measure Count(string name, params KeyValuePair<string, object?>[] tags) => new(MeasureKind.Sum, name, 1, tags);

    public static KeyValuePair<string, object?> Tag(string name, object value) => new(name, value.ToString());
}
