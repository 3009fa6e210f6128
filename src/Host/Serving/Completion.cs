using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Elastic.Host.Generation;

namespace Elastic.Host.Serving;

/// <summary>A piece of one of a request's texts.</summary>
/// <param name="Choice">The text's number in the answer.</param>
/// <param name="Ending">With the last piece: "stop" for an end of text or a stop string, "length" where all tokens were drawn.</param>
/// <param name="Tokens">That were drawn for it.</param>
internal readonly record struct CompletionPiece(int Choice, string Text, string? Ending, int Tokens);

/// <summary>The answer to one request: its texts as they are written, and the API's JSON.</summary>
internal sealed class Completion(CompletionRequest request, TextModel model, DateTimeOffset now)
{
    private readonly string _id = $"cmpl-{Guid.NewGuid():N}";
    private readonly IReadOnlyList<TextJob> _jobs = request.Jobs();

    /// <summary>The texts that the engine is to write.</summary>
    public IReadOnlyList<TextJob> Jobs => _jobs;

    /// <summary>The pieces of all texts in the order in which they come; each text ends with one that says why.</summary>
    public async IAsyncEnumerable<CompletionPiece> PiecesAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var pieces = Channel.CreateUnbounded<CompletionPiece>(new UnboundedChannelOptions { SingleReader = true });
        var texts = Task.WhenAll(_jobs.Select((job, i) => WriteAsync(job, i, pieces.Writer, cancel)));
        _ = texts.ContinueWith(
            t => pieces.Writer.TryComplete(t.Exception?.InnerException), CancellationToken.None, TaskContinuationOptions.None,
            TaskScheduler.Default);
        await foreach (var piece in pieces.Reader.ReadAllAsync(cancel))
            yield return piece;
        await texts;
    }

    /// <summary>The whole answer, from all pieces.</summary>
    public JsonObject Whole(IReadOnlyCollection<CompletionPiece> pieces)
    {
        var answer = Head();
        answer["choices"] = new JsonArray([.. pieces.GroupBy(p => p.Choice).OrderBy(c => c.Key).Select(
            c => Choice(c.Key, string.Concat(c.Select(p => p.Text)), c.Single(p => p.Ending is not null).Ending))]);
        answer["usage"] = Usage(pieces.Sum(p => p.Tokens));
        return answer;
    }

    /// <summary>A piece as an event of a stream.</summary>
    public JsonObject Event(CompletionPiece piece)
    {
        var answer = Head();
        answer["choices"] = new JsonArray(Choice(piece.Choice, piece.Text, piece.Ending));
        if (request.StreamsUsage)
            answer["usage"] = null;
        return answer;
    }

    /// <summary>The event that says how many tokens there were.</summary>
    public JsonObject UsageEvent(int tokens)
    {
        var answer = Head();
        answer["choices"] = new JsonArray();
        answer["usage"] = Usage(tokens);
        return answer;
    }

    private static JsonObject Choice(int index, string text, string? ending) =>
        new() { ["text"] = text, ["index"] = index, ["logprobs"] = null, ["finish_reason"] = ending };

    private JsonObject Head() => new()
    {
        ["id"] = _id,
        ["object"] = "text_completion",
        ["created"] = now.ToUnixTimeSeconds(),
        ["model"] = model.ServedName,
        // The same seed and prompt give the same text where this is the same.
        ["system_fingerprint"] = model.Fingerprint,
    };

    private JsonObject Usage(int tokens)
    {
        var prompts = request.Prompts.Sum(p => p.Count);
        return new() { ["prompt_tokens"] = prompts, ["completion_tokens"] = tokens, ["total_tokens"] = prompts + tokens };
    }

    private async Task WriteAsync(TextJob job, int choice, ChannelWriter<CompletionPiece> pieces, CancellationToken cancel)
    {
        var text = new StoppedText(model.Tokenizer, job.Prompt, request.Stops);
        if (request.Echoes)
            pieces.TryWrite(new CompletionPiece(choice, model.Tokenizer.Decode([.. job.Prompt]), null, 0));
        var ending = "length";
        await foreach (var token in job.Tokens.ReadAllAsync(cancel))
        {
            var piece = text.Add(token);
            pieces.TryWrite(new CompletionPiece(choice, piece, null, 1));
            if (token != model.Tokenizer.EndOfText && !text.IsStopped)
                continue;
            ending = "stop";
            job.Cancel();
            break;
        }
        // A stop string may be complete only now that no byte of a character can follow.
        var rest = text.Complete();
        pieces.TryWrite(new CompletionPiece(choice, rest, text.IsStopped ? "stop" : ending, 0));
    }
}
