using System.CommandLine;
using System.Text;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Evaluation;
using Elastic.Host.Generation;
using Elastic.Model.Generation;

namespace Elastic.Host.Commands;

/// <summary><c>elastic generate</c>: continues a text with the newest checkpoint of a run, or with the model of a folder.</summary>
internal static class GenerateCommand
{
    // More than anybody gains by; each is a pass of the network for each token.
    private const int MostBeams = 1000;
    private const int MostTexts = 1024;

    public static Command Build()
    {
        var prompt = new Option<string>(CommonOptions.PromptName)
        { Description = "The text to go on with. Default: none, the beginning of a document.", DefaultValueFactory = _ => "" };
        var tokens = new Option<int>("--tokens")
        { Description = "Tokens to write at most; it stops earlier where a document ends.", DefaultValueFactory = _ => 300 };
        var temperature = new Option<double>("--temperature")
        { Description = "0 always takes the likeliest token; 1 draws as trained; more is wilder.", DefaultValueFactory = _ => 0.8 };
        var topK = new Option<int>("--top-k")
        { Description = "Draws among the K likeliest tokens only; 0 for all.", DefaultValueFactory = _ => 0 };
        var topP = new Option<double>("--top-p")
        {
            Description = "Draws among the fewest tokens that hold this share of the probability; 1 for all.",
            DefaultValueFactory = _ => 0.95
        };
        var repetitionPenalty = new Option<double>("--repetition-penalty")
        {
            Description = "Divides the scores of tokens that the text already has (Keskar et al. 2019: 1.2); 1 for none.",
            DefaultValueFactory = _ => 1.0,
        };
        var stop = new Option<string[]>(CommonOptions.StopName)
        {
            Description = "The text ends before the first of these. Repeatable.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => [],
        };
        var count = new Option<int>("--count")
        {
            Description = "Texts to write at once, each with draws of its own; the first is the one that is written alone.",
            DefaultValueFactory = _ => 1,
        };
        var seed = new Option<ulong>("--seed") { Description = "The same seed writes the same text.", DefaultValueFactory = _ => 42 };
        var beams = new Option<int>("--beams")
        {
            Description = "For a transformer, which answers the prompt: how many answers it follows at once; 1 takes the likeliest token.",
            DefaultValueFactory = _ => new BeamSettings().Beams
        };
        var lengthPenalty = new Option<double>("--length-penalty")
        {
            Description = "For a transformer: 0 compares answers by their probability, which favours short ones; more favours longer ones.",
            DefaultValueFactory = _ => new BeamSettings().LengthPenalty
        };
        var chat = new Option<bool>("--chat")
        {
            Description = "Talks: the model answers the prompt, or, without one, each line of standard input, with what was said before. "
                + "Needs a model that was trained on conversations, and its template.",
        };
        var messages = new Option<string?>("--messages")
        {
            Description = "Answers each conversation of a file, {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]} a line.",
            HelpName = "FILE",
        };
        var template = CommonOptions.ChatTemplate();
        var dataDir = CommonOptions.DataDir();

        var command = new TeachingCommand("generate",
            "Continues a text with the newest checkpoint of a run, also while the run still trains, or with the model of a folder.",
            """
            elastic generate --run tiny --prompt "Gets the"
            elastic generate --run tiny --prompt "Returns" --temperature 0           always the likeliest
            elastic generate --run tiny --tokens 1000 --top-k 40 --seed 7
            elastic generate --run tiny --prompt "Returns" --count 4 --stop "."      the rest of a sentence, four times
            elastic generate --model ~/gpt2 --prompt "The"                           published weights
            elastic generate --model ~/gpt2 --adapter fine-adapter --prompt "The"    with what LoRA has learnt
            elastic generate --run dates --prompt "12 March 2021" --beams 4          an encoder-decoder answers
            elastic generate --model ~/qwen --chat                                   a conversation, a line at a time
            elastic generate --model ~/qwen --chat --prompt "Is 7 prime?"            one answer
            elastic generate --run talks --messages asked.jsonl                      the answers to many conversations
            """);
        var writer = new WriterOptions(command, "writes");
        foreach (var option in new Option[]
            { prompt, tokens, temperature, topK, topP, repetitionPenalty, stop, count, seed, beams, lengthPenalty,
                chat, messages, template, dataDir })
        {
            command.Options.Add(option);
        }
        command.SetAction((parsed, cancel) =>
        {
            var request = new SampleRequest(
                parsed.GetValue(prompt)!, parsed.GetValue(tokens),
                new SamplingSettings(parsed.GetValue(temperature), parsed.GetValue(topK), parsed.GetValue(topP), parsed.GetValue(seed))
                {
                    RepetitionPenalty = parsed.GetValue(repetitionPenalty),
                },
                Beams: IsGiven(beams) || IsGiven(lengthPenalty)
                    ? new BeamSettings(parsed.GetValue(beams), parsed.GetValue(lengthPenalty)) : null,
                GivenSampling: new Option[] { temperature, topK, topP, repetitionPenalty, count, seed }.FirstOrDefault(IsGiven)?.Name)
            {
                Stops = parsed.GetValue(stop)!,
                Count = parsed.GetValue(count),
            };
            var isChat = parsed.GetValue(chat) || parsed.GetValue(messages) is not null;
            List<string> problems = [.. Problems(request), .. isChat ? ProblemsOfChat(request, parsed.GetValue(messages)) : []];
            if (IsGiven(template) && !isChat)
                problems.Add($"{template.Name} belongs to --chat or --messages: without them the prompt is text that goes on");
            if (problems.Count > 0)
                throw new SettingsException(problems);
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            using var model = writer.Load(parsed, dataDir, error.WriteLine);
            if (isChat)
            {
                var talks = ModelChat.Of(model, parsed.GetValue(template)) ?? throw new ElasticException(
                    $"{model.Name} has no chat template: say how conversations are written down for it, {ModelChat.Advice}");
                Talk(new ChatSession(model, talks, request, output, error.WriteLine), request.Prompt, parsed.GetValue(messages), cancel);
                return Task.FromResult(ExitCodes.Done);
            }
            var texts = new TextsInTurn(request.Count, output);
            SampleText.Stream(model, request, texts.Write, cancel, error.WriteLine);
            texts.Complete();
            return Task.FromResult(ExitCodes.Done);

            bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
        });
        return command;
    }

    private static void Talk(ChatSession session, string prompt, string? file, CancellationToken cancel)
    {
        if (file is not null)
        {
            using var conversations = BoundedLines.Open(file, "--messages", "file of conversations");
            session.AnswerAll(conversations, cancel);
        }
        else if (prompt.Length > 0)
            session.AnswerOne(prompt, cancel);
        else
        {
            using var lines = new BoundedLines(Console.In, "standard input", "message");
            session.Talk(lines, Console.IsInputRedirected ? "" : "> ", cancel);
        }
    }

    private static IEnumerable<string> ProblemsOfChat(SampleRequest request, string? file)
    {
        if (file is not null && request.Prompt.Length > 0)
            yield return "--messages and --prompt are two questions: drop one of them";
        if (request.Count > 1)
            yield return $"--count {request.Count}: a conversation has one answer to each message; leave it out";
    }

    private static IEnumerable<string> Problems(SampleRequest request)
    {
        if (request.Beams is { Beams: < 1 or > MostBeams })
            yield return $"--beams {request.Beams.Beams}: use 1 to {MostBeams}";
        if (request.Beams is { LengthPenalty: not (>= 0 and <= 10) })
            yield return $"--length-penalty {request.Beams.LengthPenalty}: use 0 to 10";
        if (request.Tokens < 1)
            yield return $"--tokens {request.Tokens}: use at least 1";
        if (!(request.Sampling.Temperature >= 0))
            yield return $"--temperature {request.Sampling.Temperature}: use 0 or more";
        if (request.Sampling.TopK < 0)
            yield return $"--top-k {request.Sampling.TopK}: use 0 (all) or more";
        if (request.Sampling.TopP is not (> 0 and <= 1))
            yield return $"--top-p {request.Sampling.TopP}: use more than 0 and at most 1";
        if (!(request.Sampling.RepetitionPenalty >= 1) || double.IsInfinity(request.Sampling.RepetitionPenalty))
            yield return $"--repetition-penalty {request.Sampling.RepetitionPenalty}: use 1 (none) or more";
        if (request.Stops.Any(s => s.Length == 0))
            yield return "--stop \"\": use a text of at least one character";
        if (request.Count is < 1 or > MostTexts)
            yield return $"--count {request.Count}: use 1 to {MostTexts}";
    }

    // The first text is shown as it comes; the others, which are written at the same time, after it.
    private sealed class TextsInTurn(int count, TextWriter output)
    {
        private readonly StringBuilder[] _later = [.. Enumerable.Range(1, count - 1).Select(_ => new StringBuilder())];
        private bool _hasBegun;

        public void Write(int text, string piece)
        {
            if (text > 0)
            {
                _later[text - 1].Append(piece);
                return;
            }
            if (!_hasBegun)
                Begin(0);
            _hasBegun = true;
            output.Write(piece);
            output.Flush();
        }

        public void Complete()
        {
            output.WriteLine();
            for (var i = 1; i < count; i++)
            {
                output.WriteLine();
                Begin(i);
                output.WriteLine(_later[i - 1]);
            }
        }

        private void Begin(int text)
        {
            if (count > 1)
                output.WriteLine($"--- {text + 1} of {count}");
        }
    }
}
