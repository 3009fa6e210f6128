namespace Elastic.Messages.Settings;

/// <summary>What only BERT has, besides layers, heads, width and context.</summary>
public sealed record BertSettings : SettingsGroup
{
    [Setting("model.mask-token", null, """
        bert: the number of the token that stands for a hidden one; 103 in the vocabulary of the published models. null for the last token
        of the vocabulary, which model.vocabulary = 0 makes one larger than the tokenizer's for it.
        """)]
    [Between(0, ModelSettings.MostVocabulary - 1), Since(4, null)]
    public required int? MaskToken { get; init; }

    [Setting("model.class-token", null, """
        bert: the number of the token that begins a pair of sentences (corpus.samples = pairs), [CLS]; 101 in the vocabulary of the
        published models. null for the end of text, which also ends each sentence: [SEP] in those vocabularies.
        """)]
    [Between(0, ModelSettings.MostVocabulary - 1), Since(5, null)]
    public required int? ClassToken { get; init; }

    /// <summary>The token that stands for a hidden one.</summary>
    public int MaskTokenOf(int vocabulary) => MaskToken ?? vocabulary - 1;

    /// <summary>What is wrong with a model of this kind that has these settings.</summary>
    internal IEnumerable<string> ProblemsOf(ModelSettings model)
    {
        foreach (var (key, token) in Tokens)
            if (token >= model.Vocabulary && model.Vocabulary > 0)
                yield return $"{key} = {token}: use a token below model.vocabulary = {model.Vocabulary}";
    }

    /// <summary>What is wrong where these settings are set, and the model is of another architecture.</summary>
    internal IEnumerable<string> ProblemsElsewhere(string architecture) => Tokens.Select(t =>
        $"{t.Key} = {t.Token} means nothing to model.architecture = \"{architecture}\": use \"bert\", or leave it out");

    private IEnumerable<(string Key, int Token)> Tokens
    {
        get
        {
            if (MaskToken is { } mask)
                yield return ("model.mask-token", mask);
            if (ClassToken is { } first)
                yield return ("model.class-token", first);
        }
    }
}
