using Elastic.Foundation;
using Elastic.Host.Configuration;

namespace Elastic.Host.Pbm;

/// <summary>What a command of pbm is about: the one that a person names, or the only one that there is.</summary>
internal static class Named
{
    /// <param name="kind">What all of them are, which is also the palette that lists them: "run".</param>
    /// <param name="namesOf">The names of one, the first of which people are shown.</param>
    /// <param name="name">The one that is named; null for none.</param>
    /// <param name="command">The command, for an example.</param>
    /// <param name="none">What a person is told where there is none.</param>
    /// <exception cref="NotFoundException">There is none, or none of that name.</exception>
    /// <exception cref="SettingsException">There are several, and none is named.</exception>
    public static T Find<T>(
        string kind, IReadOnlyCollection<T> all, Func<T, string[]> namesOf, string? name, string command, string none) where T : class
    {
        var shown = all.Select(one => namesOf(one)[0]).Order(StringComparer.Ordinal).ToList();
        return (name, shown) switch
        {
            (_, []) => throw new NotFoundException(none),
            (null, [_]) => all.First(),
            (null, _) => throw new SettingsException(
                $"there are {shown.Count} {kind}s ({string.Join(", ", shown)}): name one, e.g. pbm {kind} {command} -n {shown[0]}"),
            _ => all.FirstOrDefault(one => namesOf(one).Contains(name)) ?? throw new NotFoundException(
                $"there is no {kind} {name}: {EditDistance.Suggest(name, shown)}; see pbm {kind} list"),
        };
    }
}
