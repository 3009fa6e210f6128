namespace Elastic.Host.Doctor;

/// <summary>One thing that <c>elastic doctor</c> looked at.</summary>
/// <param name="Subject">"memory", "disk", …</param>
/// <param name="Text">The finding.</param>
/// <param name="Remedy">How to mend it; null where nothing is wrong.</param>
internal sealed record Finding(string Subject, string Text, string? Remedy = null)
{
    private const int SubjectWidth = 12;

    /// <summary>One line, and a second one with the remedy where there is a problem.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"{(Remedy is null ? "ok     " : "PROBLEM")}  {Subject,-SubjectWidth}  {Text}";
        if (Remedy is not null)
            yield return $"         {"",SubjectWidth}  {Remedy}";
    }
}
