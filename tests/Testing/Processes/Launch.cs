namespace Elastic.Testing;

/// <summary>How an executable of ours is started.</summary>
/// <param name="Assembly">Beside the caller, or with its path.</param>
public sealed record Launch(string Assembly)
{
    public static readonly Launch Elastic = new("elastic.dll");

    /// <summary>
    /// A worker whose steps take at least 20 ms, so that a run is not over before all that is to happen to it has happened.
    /// </summary>
    public static readonly Launch Slow = Faulty("slow");

    /// <summary>A worker with a fault: see tests/Faulty.</summary>
    public static Launch Faulty(string fault) => new("Elastic.Faulty.dll") { Words = [fault] };

    /// <summary>Words before the command.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Words before "dotnet ..."; a wrapper must end in <c>exec</c>, so that it is the process that gets the signals.</summary>
    public IReadOnlyList<string> Wrapper { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>True when its standard input is to be written to.</summary>
    public bool TakesInput { get; init; }
}
