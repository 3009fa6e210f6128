
namespace Elastic.Messages.Observations;

/// <summary>
/// Something that people and machines look at: a display, the dashboard, metrics, a test. The answer of a run does not depend on it, so it
/// stands outside of the journal and its hash chain, and is kept for a while only.
/// </summary>
/// <remarks>To add one: a record with its <see cref="ObservedAsAttribute"/>, and the call that records it where it happens.</remarks>
public abstract record Observation
{
    /// <summary>Its values for the metrics; none unless overridden.</summary>
    public virtual IEnumerable<Measure> Measures => [];
}

/// <summary>An observation of one run.</summary>
public abstract record RunObservation(RunId RunId) : Observation;

/// <summary>The observation's name in the database. It outlives the name of the type.</summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class ObservedAsAttribute(string kind) : Attribute
{
    public string Kind { get; } = kind;
}
