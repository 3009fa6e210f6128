using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

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

    /// <inheritdoc cref="Holds(bool, string)"/>
    public static void Holds(
        [DoesNotReturnIf(false)] bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref BrokenInvariant what)
    {
        if (!condition)
            throw new InvariantException(what.ToTextAndClear());
    }
}

/// <summary>
/// An interpolated sentence about an invariant. It is put together only where that does not hold: what stands in its braces costs nothing
/// elsewhere, however much it says.
/// </summary>
[InterpolatedStringHandler]
public ref struct BrokenInvariant
{
    private DefaultInterpolatedStringHandler _text;

    /// <param name="condition">What must hold.</param>
    /// <param name="isBroken">True where the sentence is needed.</param>
    public BrokenInvariant(int literalLength, int formattedCount, bool condition, out bool isBroken)
    {
        isBroken = !condition;
        _text = isBroken ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    public void AppendLiteral(string value) => _text.AppendLiteral(value);

    public void AppendFormatted<T>(T value, string? format = null) => _text.AppendFormatted(value, format);

    internal string ToTextAndClear() => _text.ToStringAndClear();
}
