using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Generation;

/// <summary>How a model talks: the template by which conversations are written down for it, and where its answers end.</summary>
internal sealed class ModelChat
{
    private readonly ChatFormat _format;
    private readonly Tokenizer _tokenizer;

    private ModelChat(ChatFormat format, Tokenizer tokenizer)
    {
        (_format, _tokenizer) = (format, tokenizer);
        var (token, text) = format.EndOfAnswer(tokenizer);
        (End, Stops) = (token, text is null ? [] : [text]);
    }

    /// <summary>The token that ends an answer besides the end of text; null for none.</summary>
    public int? End { get; }

    /// <summary>A text that ends an answer, where the tokenizer has no token for it.</summary>
    public IReadOnlyList<string> Stops { get; }

    /// <summary>What people can do about a model without a template.</summary>
    public const string Advice = "--chat-template plain, chatml, llama3, or the folder or file of one";

    /// <summary>The model's own template, or the one that a person has chosen.</summary>
    /// <param name="chosen">plain, chatml, llama3, a tokenizer's folder, or a template's file; null for the model's own.</param>
    /// <returns>Null where none was chosen, and the model has none.</returns>
    /// <exception cref="ElasticException">The template is not there, or cannot be read.</exception>
    public static ModelChat? Of(TextModel model, string? chosen) =>
        (chosen is null ? OwnOf(model) : Chosen(chosen, model.Tokenizer)) is { } format ? new ModelChat(format, model.Tokenizer) : null;

    /// <summary>
    /// The model's own template, or the one that a person has chosen, for a server, which also serves text: a model's own template that is
    /// not known here is no reason not to. Says whether there is one.
    /// </summary>
    /// <exception cref="ElasticException">The chosen template is not there, or cannot be read.</exception>
    public static ModelChat? OrNone(TextModel model, string? chosen, Action<string> say)
    {
        const string Without = "without /v1/chat/completions: ";
        try
        {
            var chat = Of(model, chosen);
            say(chat is null ? $"{Without}the model has no chat template (use {Advice})" : "with /v1/chat/completions");
            return chat;
        }
        catch (ElasticException e) when (chosen is null)
        {
            say($"{Without}{e.Message} (use {Advice})");
            return null;
        }
    }

    /// <summary>
    /// The template that conversations were written by when the run trained, of which the run's folder has a copy where it came with the
    /// tokenizer; else that of the model it began with, where that is on this machine.
    /// </summary>
    /// <param name="folder">The run's folder.</param>
    public static ChatFormat? OfRun(TrainingSettings settings, Tokenizer tokenizer, string folder) =>
        settings.Corpus.ChatTemplate is not ChatTemplate.None and not ChatTemplate.Tokenizer
            ? ChatFormat.Named(settings.Corpus.ChatTemplate)
            : ChatFolder.Find(folder, tokenizer)
                ?? (InitOf(settings) is { } init && Directory.Exists(init) ? ChatFolder.Find(init, tokenizer) : null);

    /// <summary>The folder of the model that the run began with; null for a fresh one.</summary>
    public static string? InitOf(TrainingSettings settings) => settings.Model.InitBase ?? settings.Model.Init;

    /// <summary>The tokens that the answer goes on from.</summary>
    /// <returns>At least one token.</returns>
    /// <exception cref="FormatException">The template refuses these messages, or writes nothing for them.</exception>
    public List<int> Prompt(IReadOnlyList<ChatMessage> messages) =>
        _format.Prompt(messages, _tokenizer) is { Count: > 0 } prompt ? prompt : throw new FormatException(
            "the model's chat template writes nothing for these messages, and an answer goes on from at least one token: "
                + "end with a message of the user that has a text");

    private static ChatFormat? OwnOf(TextModel model) => model.Training is { } training
        ? OfRun(training, model.Tokenizer, model.Folder) : ChatFolder.Find(model.Name, model.Tokenizer);

    private static ChatFormat Chosen(string chosen, Tokenizer tokenizer)
    {
        foreach (var template in (ChatTemplate[])[ChatTemplate.Plain, ChatTemplate.Chatml, ChatTemplate.Llama3])
            if (chosen == SettingKind.Word(template))
                return ChatFormat.Named(template);
        if (!Path.Exists(chosen))
            throw new NotFoundException($"--chat-template {OneLine.Of(chosen, 200)}: there is no such folder or file; use {Advice}");
        return ChatFolder.Find(chosen, tokenizer) ?? throw new ElasticException(
            $"--chat-template {chosen}: there is no chat template, neither in tokenizer_config.json nor as chat_template.jinja; "
            + $"use {Advice}");
    }
}
