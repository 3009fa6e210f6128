using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Cpu;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Storage;

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

/// <summary>Writes text with the newest checkpoint of a run.</summary>
internal static class SampleText
{
    /// <summary>Returns the whole text.</summary>
    public static string Write(DataDirectory data, RunName run, SampleRequest request, Action<string> notice, CancellationToken cancel)
    {
        var text = new StringWriter();
        Stream(data, run, request, text.Write, notice, cancel);
        return text.ToString();
    }

    /// <summary>Writes the text piece by piece. Reports damaged checkpoints, which it skips, to <paramref name="notice"/>.</summary>
    public static void Stream(
        DataDirectory data, RunName run, SampleRequest request, Action<string> write, Action<string> notice, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        using var checkpoint = CheckpointReader.LoadNewest(data.ExistingRun(run).Root);
        foreach (var passed in checkpoint.Passed)
            notice($"passed over {passed}");
        var (tokenizer, model) = (Tokenizer.Open(checkpoint.Manifest.Tokenizer), checkpoint.Settings.Model);
        if (model.IsMasked)
            throw new ElasticException(
                $"{run} is a {model.Architecture}: it predicts hidden tokens from both sides, and does not continue a text");
        if (model.ReadsPairs ? request.GivenSampling is not null : request.Beams is not null)
            throw new ElasticException(model.ReadsPairs
                ? $"{request.GivenSampling}: {run} is a {model.Architecture}, which looks for the best answer; use --beams"
                : $"--beams: {run} is a {model.Architecture}, which draws its text token by token; use --temperature, --top-k or --top-p");
        using var device = new CpuDevice(
            new DeviceId("cpu:0"), Architectures.Open(checkpoint.Settings.Model), threads: Environment.ProcessorCount);
        device.Attach(checkpoint.Vectors);

        List<int> prompt = [];
        tokenizer.Encode(request.Prompt, prompt);
        if (model.ReadsPairs)
        {
            if (prompt.Count >= model.Context)
                notice($"the prompt has {prompt.Count} tokens: {run} reads the first {model.Context}");
            Answer(prompt, request, model.Context, tokenizer, device, write, cancel);
            return;
        }
        write(request.Prompt);
        // A document begins after an end of text; an empty prompt is that token alone.
        if (prompt.Count == 0)
            prompt.Add(tokenizer.EndOfText);
        // model.vocabulary may be larger than the tokenizer's: such tokens have logits, but no text.
        var generator = new TextGenerator(
            tokens => device.Logits(tokens)[..tokenizer.VocabularySize], checkpoint.Settings.Model.Context, request.Sampling);
        var text = new TokenStream(tokenizer, write);
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
/// arrives; so the last piece is held back while it ends in U+FFFD.
/// </summary>
internal sealed class TokenStream(Tokenizer tokenizer, Action<string> write)
{
    private const int LongestCharacter = 4;     // bytes of UTF-8

    private readonly List<int> _pending = [];

    public void Add(int token)
    {
        _pending.Add(token);
        var text = Decode();
        if (!text.EndsWith('\uFFFD') || _pending.Count >= LongestCharacter)
            Flush(text);
    }

    /// <summary>Writes the bytes that are held back: they will not become a character any more.</summary>
    public void Complete() => Flush(Decode());

    private string Decode() => tokenizer.Decode([.. _pending]);

    private void Flush(string text)
    {
        if (text.Length > 0)
            write(text);
        _pending.Clear();
    }
}
