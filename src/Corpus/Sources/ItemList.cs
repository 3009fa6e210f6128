using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Writes values into the texts that builds and corpora are named after: two lists that differ are never written alike, however long they
/// are.
/// </summary>
internal static class ItemList
{
    /// <summary>The items with the separator between them.</summary>
    /// <param name="separator">Stands in no item that is written as it is.</param>
    public static string Of(IEnumerable<string> items, string separator) =>
        string.Join(separator, items.Select(item => NeedsQuotes(item, separator) ? JsonSerializer.Serialize(item) : item));

    // As it is wherever that can be read back: names that were made before there were quotation marks stay.
    private static bool NeedsQuotes(string item, string separator) =>
        item.Length == 0 || item[0] == '"' || item.Contains(separator, StringComparison.Ordinal) || OneLine.Of(item, int.MaxValue) != item;
}
