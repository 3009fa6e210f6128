using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Generation;
using Elastic.Model.Training;

namespace Elastic.Host.Generation;

/// <summary>What text to write, and how.</summary>
/// <param name="Prompt">The text to continue; empty for the beginning of a document.</param>
/// <param name="Bytes">Ends after so many bytes, and begins another document where one ends sooner; null ends with the document.</param>
internal sealed record SampleRequest(string Prompt, int Tokens, SamplingSettings Sampling, int? Bytes = null)
{
    /// <summary>A text ends before the first of them.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Texts that are written at once.</summary>
    public int Count { get; init; } = 1;

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
        Stream(data, run, request, (_, piece) => text.Write(piece), notice, cancel);
        return text.ToString();
    }

    /// <summary>
    /// Writes the texts piece by piece, each piece with its text's number. Reports damaged checkpoints, which it skips, to
    /// <paramref name="notice"/>.
    /// </summary>
    /// <exception cref="ElasticException">There is no memory for so many texts.</exception>
    public static void Stream(
        DataDirectory data, RunName run, SampleRequest request, Action<int, string> write, Action<string> notice, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        using var model = TextModel.Load(data, run, notice);
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        // model.vocabulary may be larger than the tokenizer's: such tokens have logits, but no text.
        using var generator = new TextGenerator(opened.Device, model.Tokenizer.VocabularySize);
        var prompt = model.Encode(request.Prompt);
        CheckMemory(opened.Device, prompt.Count, request);
        var texts = Enumerable.Range(0, request.Count).ToDictionary(
            i => generator.Add(prompt, request.Tokens, request.Sampling with { Sample = i }), i => new Sample(model, request, i, write));
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

    private sealed class Sample(TextModel model, SampleRequest request, int number, Action<int, string> write)
    {
        private readonly StoppedText _text = new(model.Tokenizer, request.Stops);
        private int _bytes;

        /// <summary>Writes what a token makes certain; true where the text ends with it.</summary>
        public bool Take(DrawnToken drawn)
        {
            var isEnd = drawn.Token == model.Tokenizer.EndOfText;
            if (isEnd && request.Bytes is null)
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
