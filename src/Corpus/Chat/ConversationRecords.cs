using System.Text.RegularExpressions;

namespace Elastic.Corpus;

/// <summary>What to do where records were read as texts and are conversations, or are none of the form that is read.</summary>
internal static partial class ConversationRecords
{
    // ShareGPT's form, which much of what people share has.
    private const string Rename = "rename \"conversations\" to \"messages\", and in each message \"from\" to \"role\" (human to user, gpt "
        + "to assistant) and \"value\" to \"content\"";

    private const string Choose = "set corpus.chat-template=tokenizer, or chatml where the tokenizer comes without a template";

    /// <summary>A sentence for people; null where the records that could not be read are no conversations.</summary>
    public static string? Remedy(ReadStatistics statistics)
    {
        foreach (var found in statistics.Malformed.Select(m => Without().Match(m.Reason)).Where(m => m.Success))
        {
            var (isText, names) = (found.Groups["kind"].Value == "string", found.Groups["names"].Value.Split(", "));
            if (names.Contains("conversations"))
                return $"these are conversations in a form that is not read: {Rename}" + (isText ? $"; then {Choose}" : "");
            if (isText && names.Contains("messages"))
                return $"these are conversations: {Choose}";
            if (!isText)
                return "corpus.chat-template reads conversations from the field \"messages\": rename the field that holds them, or leave "
                    + "corpus.chat-template out where the records are texts";
        }
        return null;
    }

    // As JsonRecord says it of a text and of a conversation.
    [GeneratedRegex("""^there is no field ".*" with a (?<kind>string|list) \(it has (?<names>.*)\)$""", RegexOptions.Singleline, 10_000)]
    private static partial Regex Without();
}
