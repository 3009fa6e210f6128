using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Generation;
using Elastic.Model.Training;

namespace Elastic.Host.Generation;

/// <summary>What text to write, and how.</summary>
/// <param name="Prompt">The text to continue; empty for the beginning of a document.</param>
/// <param name="Beams">How an encoder-decoder looks for the best; null as people leave it.</param>
/// <param name="GivenSampling">The first option of sampling that people gave; null for none.</param>
/// <param name="Bytes">Ends after so many bytes, and begins another document where one ends sooner; null ends with the document.</param>
internal sealed record SampleRequest(
    string Prompt, int Tokens, SamplingSettings Sampling, int? Bytes = null, BeamSettings? Beams = null, string? GivenSampling = null)
{
    /// <summary>A text ends before the first of them.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>The tokens of a conversation that is to be answered; null for a text that goes on from the prompt.</summary>
    public IReadOnlyList<int>? PromptTokens { get; init; }

    /// <summary>A token that ends a text besides the end of text; null for none.</summary>
    public int? End { get; init; }

    /// <summary>Texts that are written at once.</summary>
    public int Count { get; init; } = 1;

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
        Stream(model, request, (_, piece) => text.Write(piece), cancel);
        return text.ToString();
    }

    /// <summary>
    /// Writes the texts piece by piece, each piece with its text's number; texts that go on from the prompt begin with it.
    /// </summary>
    /// <exception cref="ElasticException">The model does not write so, or there is no memory for so many texts.</exception>
    public static void Stream(
        TextModel model, SampleRequest request, Action<int, string> write, CancellationToken cancel, Action<string>? notice = null)
    {
        var settings = model.Settings;
        model.RefuseMasked();
        if (settings.ReadsPairs ? request.GivenSampling is not null : request.Beams is not null)
            throw new ElasticException(settings.ReadsPairs
                ? $"{request.GivenSampling}: {model.Name} is a {settings.Architecture}, which looks for the best answer; use --beams"
                : $"--beams: {model.Name} is a {settings.Architecture}, which draws its text token by token; use --temperature, --top-k "
                  + "or --top-p");
        if (settings.ReadsPairs && request.PromptTokens is not null)
            throw new ElasticException($"--chat: {model.Name} is a {settings.Architecture}: it answers one text, and does not talk");
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        if (settings.ReadsPairs)
            Answer(model, request, opened.Device, write, notice, cancel);
        else
            Continue(model, request, opened.Device, write, cancel);
    }

    private static void Continue(
        TextModel model, SampleRequest request, TrainingDevice device, Action<int, string> write, CancellationToken cancel)
    {
        // model.vocabulary may be larger than the tokenizer's: such tokens have logits, but no text.
        using var generator = new TextGenerator(device, model.Tokenizer.VocabularySize);
        var prompt = request.PromptTokens ?? model.Encode(request.Prompt);
        CheckMemory(device, prompt.Count, request);
        var texts = Enumerable.Range(0, request.Count).ToDictionary(
            i => generator.Add(prompt, request.Tokens, request.Sampling with { Sample = i }),
            i => new Sample(model, request, prompt, i, write));
        for (var i = 0; i < request.Count; i++)
            write(i, request.PromptTokens is null ? request.Prompt : "");
        while (generator.Texts.Count > 0)
        {
            cancel.ThrowIfCancellationRequested();
            foreach (var drawn in generator.Step())
            {
                if (texts[drawn.Text].Take(drawn))
                    generator.Remove(drawn.Text);
            }
        }
    }

    // As samples of pairs are cut: the source ends with an end of text, and the answer begins after one.
    private static void Answer(
        TextModel model, SampleRequest request, TrainingDevice device, Action<int, string> write, Action<string>? notice,
        CancellationToken cancel)
    {
        var (tokenizer, context) = (model.Tokenizer, model.Settings.Context);
        List<int> prompt = [];
        tokenizer.Encode(request.Prompt, prompt, cancel);
        if (prompt.Count >= context)
            notice?.Invoke($"the prompt has {prompt.Count} tokens: {model.Name} reads the first {context}");
        int[] source = [.. prompt.Append(tokenizer.EndOfText).Take(context)];
        var (beams, most) = (request.Beams ?? new BeamSettings(), Math.Min(request.Tokens, context));
        CheckMemory(device, source.Length, beams, most);
        using var texts = new BeamTexts(device, source, most);
        var search = new BeamSearch(
            tokens =>
            {
                cancel.ThrowIfCancellationRequested();
                return [.. texts.Logits(tokens).Select(z => z[..tokenizer.VocabularySize])];
            },
            beams);
        int[] answer = [.. search.Find(tokenizer.EndOfText, tokenizer.EndOfText, most)];
        var stop = new StopStrings(request.Stops);
        write(0, stop.Add(tokenizer.Decode(answer)) + stop.Complete());
    }

    private static void CheckMemory(TrainingDevice device, int source, BeamSettings beams, int most)
    {
        var (needed, free) = ((double)device.StateBytes(most) * beams.Beams + device.StateBytes(source), MachineMemory.Now().FreeBytes);
        if (needed > free)
        {
            throw new ElasticException(
                $"the keys and values of {beams.Beams} beams of {most} tokens take {ByteSize.Text(needed)} of memory, and "
                + $"{ByteSize.Text(free)} are free: lower --beams or --tokens, or free some memory");
        }
    }

    private static void CheckMemory(TrainingDevice device, int prompt, SampleRequest request)
    {
        var tokens = (int)Math.Min((long)prompt + request.Tokens, device.Architecture.Context);
        var (needed, free) = ((double)device.StateBytes(tokens) * request.Count, MachineMemory.Now().FreeBytes);
        if (needed > free)
        {
            throw new ElasticException(
                $"the keys and values of {request.Count} texts of {tokens} tokens take {ByteSize.Text(needed)} of memory, and "
                + $"{ByteSize.Text(free)} are free: lower --count or --tokens, or free some memory");
        }
    }

    private sealed class Sample(
        TextModel model, SampleRequest request, IReadOnlyList<int> prompt, int number, Action<int, string> write)
    {
        private readonly StoppedText _text = new(model.Tokenizer, prompt, request.Stops, isAnswer: request.PromptTokens is not null);
        private int _bytes;

        /// <summary>Writes what a token makes certain; true where the text ends with it.</summary>
        public bool Take(DrawnToken drawn)
        {
            var isEnd = drawn.Token == model.Tokenizer.EndOfText;
            if ((isEnd && request.Bytes is null) || drawn.Token == request.End)
                return Complete();
            write(number, _text.Add(drawn.Token));
            _bytes += model.Tokenizer.ByteCount(drawn.Token);
            if (drawn.IsLast || _text.IsStopped || _bytes >= request.Bytes)
                return Complete();
            if (isEnd)
                write(number, "\n\n");
            return false;
        }

        private bool Complete()
        {
            write(number, _text.Complete());
            return true;
        }
    }
}
