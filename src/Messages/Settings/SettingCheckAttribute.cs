using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>What a setting's value must fulfil by itself. What two settings must fulfil together is checked by their record.</summary>
[AttributeUsage(AttributeTargets.Property)]
public abstract class SettingCheckAttribute : Attribute
{
    /// <summary>Whether <paramref name="value"/>, which is never null, is allowed.</summary>
    public abstract bool Allows(object value);

    /// <summary>What is allowed, of a value of <paramref name="kind"/>, e.g. "a whole number, at least 1".</summary>
    public virtual string Describe(string kind) => $"{kind}, {Use(kind)}";

    /// <summary>The sentence for a value that is not allowed.</summary>
    public virtual string Problem(string key, string shown, string kind) => $"{key} = {shown}: use {Use(kind)}";

    /// <summary>What to use instead, e.g. "at least 1".</summary>
    protected abstract string Use(string kind);

    /// <summary>A value as the numbers in it; not a number where it is none, so that every comparison fails.</summary>
    protected static IReadOnlyList<double> Numbers(object value) => value switch
    {
        int whole => [whole],
        double number => [number],
        NumberPair pair => [pair.First, pair.Second],
        _ => [double.NaN],
    };
}

/// <summary>A number that is <paramref name="least"/> or more.</summary>
public sealed class AtLeastAttribute(double least) : SettingCheckAttribute
{
    public double Least { get; } = least;

    /// <summary>What 0 stands for.</summary>
    public string? Zero { get; init; }

    public override bool Allows(object value) => Numbers(value).All(n => n >= Least);

    protected override string Use(string kind) =>
        Zero is not null ? $"0 ({Zero}) or more" : Least == 0 ? "0 or more" : $"at least {SettingKind.Show(Least)}";
}

/// <summary>A number above <paramref name="limit"/>.</summary>
public sealed class AboveAttribute(double limit) : SettingCheckAttribute
{
    public double Limit { get; } = limit;

    public override bool Allows(object value) => Numbers(value).All(n => n > Limit);

    public override string Describe(string kind) => Use(kind);

    protected override string Use(string kind) => $"{kind} above {SettingKind.Show(Limit)}";
}

/// <summary>A number, or each of two, from <paramref name="least"/> to <paramref name="most"/>.</summary>
public sealed class BetweenAttribute(double least, double most) : SettingCheckAttribute
{
    public double Least { get; } = least;

    public double Most { get; } = most;

    /// <summary>What 0 stands for.</summary>
    public string? Zero { get; init; }

    /// <summary>Excludes <see cref="Most"/> itself.</summary>
    public bool BelowMost { get; init; }

    public override bool Allows(object value) => Numbers(value).All(n => n >= Least && (BelowMost ? n < Most : n <= Most));

    public override string Describe(string kind) => $"{kind} from {Range}";

    protected override string Use(string kind) => kind == SettingKinds.Pair.Name ? Describe(kind) : Range;

    private string Range =>
        $"{SettingKind.Show(Least)}{(Zero is null ? "" : $" ({Zero})")} to {(BelowMost ? "less than " : "")}{SettingKind.Show(Most)}";
}

/// <summary>One of a few texts.</summary>
public sealed class OneOfAttribute(params string[] names) : SettingCheckAttribute
{
    public IReadOnlyList<string> Names { get; } = names;

    public override bool Allows(object value) => Names.Contains((string)value);

    public override string Describe(string kind) => string.Join(" or ", Names);

    protected override string Use(string kind) => string.Join(" or ", Names.Select(n => $"\"{n}\""));
}

/// <summary>A text of the form of a regular expression, in which no text but the whole one matches.</summary>
/// <param name="pattern">The expression, without anchors.</param>
/// <param name="use">The form of the text, in words.</param>
public sealed class MatchesAttribute(string pattern, string use) : SettingCheckAttribute
{
    private readonly Regex _regex = new($@"\A(?:{pattern})\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);

    public string Pattern { get; } = pattern;

    /// <summary>Whether it is an address of the web, of which the pattern does not say all, e.g. that ports end at 65535.</summary>
    public bool IsWebAddress { get; init; }

    public override bool Allows(object value) =>
        _regex.IsMatch((string)value) && (!IsWebAddress || Uri.TryCreate((string)value, UriKind.Absolute, out _));

    protected override string Use(string kind) => use;
}

/// <summary>One address or name of a machine, as <see cref="Endpoint"/> takes it.</summary>
public sealed class HostAttribute : SettingCheckAttribute
{
    public override bool Allows(object value) => Endpoint.ProblemOfHost((string)value) is null;

    public override string Problem(string key, string shown, string kind) =>
        $"{key} = {shown}: {Endpoint.ProblemOfHost(shown.Trim('"'))}";

    protected override string Use(string kind) => "one address or name of the machine";
}

/// <summary>A text that is not empty.</summary>
public sealed class NotEmptyAttribute(string remedy) : SettingCheckAttribute
{
    public string Remedy { get; } = remedy;

    public override bool Allows(object value) => ((string)value).Length > 0;

    public override string Describe(string kind) => kind;

    public override string Problem(string key, string shown, string kind) => $"{key} is empty: {Remedy}";

    protected override string Use(string kind) => Remedy;
}
