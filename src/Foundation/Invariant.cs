using System.Diagnostics.CodeAnalysis;

namespace Elastic.Foundation;

/// <summary>Something that must hold does not: a defect of Elastic. A run that stops beats a wrong answer.</summary>
public sealed class InvariantException : Exception
{
    public InvariantException() { }

    public InvariantException(string message) : base(message) { }

    public InvariantException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>Asserts what must hold, in Release builds, too.</summary>
public static class Invariant
{
    /// <param name="condition">What must hold.</param>
    /// <param name="what">What is broken, and why that matters.</param>
    /// <exception cref="InvariantException">It does not hold.</exception>
    public static void Holds([DoesNotReturnIf(false)] bool condition, string what)
    {
        if (!condition)
            throw new InvariantException(what);
    }
}
