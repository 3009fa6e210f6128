using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Host.Commands;

/// <summary>The texts that builds have left in a data directory.</summary>
internal static class BuiltTexts
{
    /// <summary>All of them, by their ids.</summary>
    public static IEnumerable<BuiltText> All(DataDirectory data) => !Directory.Exists(data.Texts) ? []
        : Directory.EnumerateDirectories(data.Texts).Order(StringComparer.Ordinal).Select(BuiltText.TryOpen).OfType<BuiltText>();

    /// <summary>The text whose id begins like that, or the only one.</summary>
    /// <exception cref="NotFoundException">There is none, or there are several.</exception>
    public static BuiltText Find(DataDirectory data, string? id)
    {
        var all = All(data).ToList();
        var found = all.FindAll(t => t.Report.Id.StartsWith(id ?? "", StringComparison.Ordinal));
        if (found is [var text])
            return text;
        if (id is not null && found.Count == 0 && TakenDownTexts.Find(data, id) is { } reason)
            throw new NotFoundException(reason);
        var known = string.Join(", ", all.Select(t => t.Report.Id[..12]));
        throw new NotFoundException(
            all.Count == 0 ? $"there is no text in {data.Texts}: build one with: elastic corpus build --manifest FILE"
            : found.Count == 0 ? $"there is no text {OneLine.Of(id!, 64)} in {data.Texts}: there are {known}"
            : $"several texts are in {data.Texts}: name one of {known} with --text");
    }
}
