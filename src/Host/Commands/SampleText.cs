using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Cpu;
using Elastic.Model.Generation;
using Elastic.Model.Networks;

namespace Elastic.Host.Commands;

/// <summary>What text to write, and how.</summary>
/// <param name="Prompt">The text to continue; empty for the beginning of a document.</param>
/// <param name="Beams">How an encoder-decoder looks for the best; null as people leave it.</param>
/// <param name="GivenSampling">The first option of sampling that people gave; null for none.</param>
/// <param name="Bytes">Ends after so many bytes, and begins another document where one ends sooner; null ends with the document.</param>
internal sealed record SampleRequest(
    string Prompt, int Tokens, SamplingSettings Sampling, int? Bytes = null, BeamSettings? Beams = null, string? GivenSampling = null)
{
    /// <summary>A few lines after training, the same for the same weights. Cool enough that a small model can spell.</summary>
    public static SampleRequest ForSummary { get; } = new("", 400, new SamplingSettings(Temperature: 0.7, TopP: 0.95), Bytes: 400);
}

/// <summary>Writes text with a model.</summary>
internal static class SampleText
{
    /// <summary>Returns the whole text that the newest checkpoint of a run writes.</summary>
    public static string Write(DataDirectory data, RunName run, SampleRequest request, Action<string> notice, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var text = new StringWriter();
        using var model = TextModel.OfRun(data, run, notice);
        Stream(model, request, text.Write, cancel);
        return text.ToString();
    }

    /// <summary>Writes the text piece by piece.</summary>
    public static void Stream(
        TextModel model, SampleRequest request, Action<string> write, CancellationToken cancel, Action<string>? notice = null)
    {
        var (tokenizer, settings) = (model.Tokenizer, model.Settings);
        if (settings.IsMasked)
            throw new ElasticException(
                $"{model.Name} is a {settings.Architecture}: it predicts hidden tokens from both sides, and does not continue a text");
        if (settings.ReadsPairs ? request.GivenSampling is not null : request.Beams is not null)
            throw new ElasticException(settings.ReadsPairs
                ? $"{request.GivenSampling}: {model.Name} is a {settings.Architecture}, which looks for the best answer; use --beams"
                : $"--beams: {model.Name} is a {settings.Architecture}, which draws its text token by token; use --temperature, --top-k "
                  + "or --top-p");
        using var device = new CpuDevice(
            new DeviceId("cpu:0"), Architectures.Open(model.Settings), threads: Environment.ProcessorCount);
        device.Attach(model.Vectors);

        List<int> prompt = [];
        tokenizer.Encode(request.Prompt, prompt);
        if (settings.ReadsPairs)
        {
            if (prompt.Count >= settings.Context)
                notice?.Invoke($"the prompt has {prompt.Count} tokens: {model.Name} reads the first {settings.Context}");
            Answer(prompt, request, settings.Context, tokenizer, device, write, cancel);
            return;
        }
        write(request.Prompt);
        // A document begins after an end of text; an empty prompt is that token alone.
        if (prompt.Count == 0)
            prompt.Add(tokenizer.EndOfText);
        // model.vocabulary may be larger than the tokenizer's: such tokens have logits, but no text.
        var generator = new TextGenerator(
            tokens => device.Logits(tokens)[..tokenizer.VocabularySize], model.Settings.Context, request.Sampling);
        var text = new TokenStream(tokenizer, write, request.Prompt.Length == 0 ? [] : prompt);
        var bytes = 0;
        foreach (var token in generator.Continue(prompt, request.Tokens, request.Bytes is null ? tokenizer.EndOfText : null))
        {
            cancel.ThrowIfCancellationRequested();
            text.Add(token);
            bytes += tokenizer.ByteCount(token);
            if (bytes >= request.Bytes)
                break;
            if (token == tokenizer.EndOfText)
                write("\n\n");
        }

        text.Complete();
    }

    // As samples of pairs are cut: the source ends with an end of text, and the answer begins after one.
    private static void Answer(
        List<int> prompt, SampleRequest request, int context, Tokenizer tokenizer, CpuDevice device, Action<string> write,
        CancellationToken cancel)
    {
        int[] source = [.. prompt.Append(tokenizer.EndOfText).Take(context)];
        var search = new BeamSearch(
            tokens =>
            {
                cancel.ThrowIfCancellationRequested();
                return device.Logits(source, tokens)[..tokenizer.VocabularySize];
            },
            request.Beams ?? new BeamSettings());
        write(tokenizer.Decode([.. search.Find(tokenizer.EndOfText, tokenizer.EndOfText, Math.Min(request.Tokens, context))]));
    }
}

/// <summary>
/// Turns a stream of tokens into text. A token may end in the middle of a character, which decodes to U+FFFD until the rest of it
/// arrives; so the last piece is held back while it ends in U+FFFD. Many decoders write the first token of a text without the space before
/// it, so each piece is decoded behind the token that came before it.
/// </summary>
/// <param name="before">The tokens that the stream goes on from; none at the beginning of a text.</param>
internal sealed class TokenStream(Tokenizer tokenizer, Action<string> write, IReadOnlyList<int> before)
{
    private const int LongestCharacter = 4;     // bytes of UTF-8

    private readonly List<int> _pending = [];
    private int[] _context = [.. before.TakeLast(1)];

    public void Add(int token)
    {
        _pending.Add(token);
        var text = Decode();
        if (!text.EndsWith('\uFFFD') || _pending.Count >= LongestCharacter)
            Flush(text);
    }

    /// <summary>Writes the bytes that are held back: they will not become a character any more.</summary>
    public void Complete() => Flush(Decode());

    private string Decode()
    {
        var context = tokenizer.Decode(_context);
        var text = tokenizer.Decode([.. _context, .. _pending]);
        // Half a character in front could join what follows.
        return !context.EndsWith('\uFFFD') && text.StartsWith(context, StringComparison.Ordinal)
            ? text[context.Length..] : tokenizer.Decode([.. _pending]);
    }

    private void Flush(string text)
    {
        if (text.Length > 0)
            write(text);
        if (_pending.Count > 0)
            _context = [_pending[^1]];
        _pending.Clear();
    }
}
