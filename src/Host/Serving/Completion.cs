using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Elastic.Corpus;
using Elastic.Host.Generation;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>A piece of one of a request's texts.</summary>
/// <param name="Choice">The text's number in the answer.</param>
/// <param name="Ending">With the last piece: "stop" for an end of text or a stop string, "length" where all tokens were drawn.</param>
/// <param name="Tokens">Tokens that were drawn for the piece.</param>
/// <param name="Logs">The tokens that begin in it; null where no log-probabilities were asked for.</param>
internal readonly record struct CompletionPiece(int Choice, string Text, string? Ending, int Tokens, IReadOnlyList<TokenLog>? Logs = null);

/// <summary>The answer to one request: its texts as they are written, and the API's JSON.</summary>
internal sealed class Completion(CompletionRequest request, TextModel model, DateTimeOffset now)
{
    private readonly string _id = $"{request.Form.Prefix}{Guid.NewGuid():N}";
    private readonly HashSet<int> _begun = [];                          // texts of which an event was made
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
        var answer = Head(request.Form.Whole);
        answer["choices"] = new JsonArray([.. pieces.GroupBy(p => p.Choice).OrderBy(c => c.Key).Select(
            c => Choice(
                request.Form.OfWhole(string.Concat(c.Select(p => p.Text))), c.Key, c.Single(p => p.Ending is not null).Ending,
                request.Likeliest is null ? null : [.. c.SelectMany(p => p.Logs ?? [])]))]);
        answer["usage"] = Usage(pieces.Sum(p => p.Tokens));
        return answer;
    }

    /// <summary>A piece as an event of a stream.</summary>
    public JsonObject Event(CompletionPiece piece)
    {
        var answer = Head(request.Form.Piece);
        answer["choices"] = new JsonArray(Choice(
            request.Form.OfPiece(piece.Text, _begun.Add(piece.Choice)), piece.Choice, piece.Ending, piece.Logs));
        if (request.StreamsUsage)
            answer["usage"] = null;
        return answer;
    }

    /// <summary>The event that says how many tokens there were.</summary>
    public JsonObject UsageEvent(int tokens)
    {
        var answer = Head(request.Form.Piece);
        answer["choices"] = new JsonArray();
        answer["usage"] = Usage(tokens);
        return answer;
    }

    private static JsonObject Choice(JsonObject choice, int index, string? ending, IReadOnlyCollection<TokenLog>? logs)
    {
        choice["index"] = index;
        choice["logprobs"] = TokenLogs.Json(logs);
        choice["finish_reason"] = ending;
        return choice;
    }

    private JsonObject Head(string kind) => new()
    {
        ["id"] = _id,
        ["object"] = kind,
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
        var text = new StoppedText(model.Tokenizer, job.Prompt, request.Stops, isAnswer: request.Form == AnswerForm.Chat);
        if (request.Echoes)
            pieces.TryWrite(new CompletionPiece(choice, model.Tokenizer.Decode([.. job.Prompt]), null, 0));
        var ending = "length";
        var logs = new PendingLogs(
            job, model.Tokenizer, request.Likeliest is null ? 0 : StoppedText.Characters(model.Tokenizer.Decode([.. job.Prompt])));
        await foreach (var (token, probabilities) in job.Tokens.ReadAllAsync(cancel))
        {
            logs.Add(token, probabilities, text.Length);
            var piece = text.Add(token);
            pieces.TryWrite(new CompletionPiece(choice, piece, null, 1, logs.Take(piece)));
            if (token != model.Tokenizer.EndOfText && token != job.End && !text.IsStopped)
                continue;
            ending = "stop";
            job.Cancel();
            break;
        }
        // A stop string may be complete only now that no byte of a character can follow.
        var rest = text.Complete();
        pieces.TryWrite(new CompletionPiece(choice, rest, text.IsStopped ? "stop" : ending, 0, logs.Take(rest)));
    }

    // Tokens whose text is held back wait for it; those of a stop string wait in vain.
    private sealed class PendingLogs(TextJob job, Tokenizer tokenizer, int promptLength)
    {
        private readonly List<TokenLog> _waiting = [];
        private TokenContext _before = TokenContext.Of(tokenizer, job.Likeliest is null ? [] : job.Prompt);
        private int _sent;                                              // characters of the text

        public void Add(int token, TokenProbabilities? probabilities, int before)
        {
            if (probabilities is null)
                return;
            _waiting.Add(new TokenLog(token, _before, promptLength + before, probabilities));
            _before = _before.With([token]);
        }

        /// <summary>
        /// The tokens that begin in this piece of the text, or before it; null where no log-probabilities were asked for.
        /// </summary>
        public List<TokenLog>? Take(string piece)
        {
            if (job.Likeliest is null)
                return null;
            _sent += StoppedText.Characters(piece);
            var taken = _waiting.TakeWhile(l => l.Offset < promptLength + _sent).ToList();
            _waiting.RemoveRange(0, taken.Count);
            return taken;
        }
    }
}
