namespace Elastic.Structure.Tests;

/// <summary>Rules that are broken, as sentences.</summary>
internal static class Violations
{
    /// <summary>Fails with all of them: whoever broke several rules mends them at once.</summary>
    public static void None(IEnumerable<string> violations)
    {
        if (string.Join(Environment.NewLine, violations) is { Length: > 0 } all)
            Assert.Fail(all);
    }
}
