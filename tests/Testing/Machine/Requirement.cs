using System.Diagnostics.CodeAnalysis;

namespace Elastic.Testing;

/// <summary>
/// What some tests need and not every machine has. Without it a test is skipped, with a sentence that says how to get it. Where everything
/// has to be there, as for a change that is about to be accepted, the test fails instead.
/// </summary>
public static class Requirement
{
    /// <summary>Set to 1 by .ci/run: a test that would be skipped fails.</summary>
    public const string Variable = "ELASTIC_REQUIRE_ALL";

    /// <summary>Skips the running test, or fails it, where something is missing.</summary>
    /// <param name="how">Goes on after "this test": "needs PostgreSQL: apt-get install postgresql".</param>
    public static void Need([DoesNotReturnIf(false)] bool there, string how) =>
        Need(there, how, Environment.GetEnvironmentVariable(Variable) == "1");

    /// <inheritdoc cref="Need(bool, string)"/>
    /// <param name="all">Everything has to be there.</param>
    internal static void Need([DoesNotReturnIf(false)] bool there, string how, bool all)
    {
        if (there)
            return;
        if (all)
            Assert.Fail($"this test {how} ({Variable} is 1, so it is not skipped)");
        Assert.Skip($"this test {how}");
    }
}
