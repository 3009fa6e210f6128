using System.CommandLine;
using Elastic.Host.Configuration;
using Elastic.Model.Generation;

namespace Elastic.Host.Commands;

/// <summary><c>elastic generate</c>: continues a text with the newest checkpoint of a run, or with the model of a folder.</summary>
internal static class GenerateCommand
{
    // More than anybody gains by; each is a pass of the network for each token.
    private const int MostBeams = 1000;

    public static Command Build()
    {
        var run = CommonOptions.RunName("The run whose newest checkpoint writes.");
        var model = new Option<string?>("--model")
        {
            Description = "A Hugging Face folder (config.json and safetensors) whose model writes, in place of a run.",
            HelpName = "DIR",
        };
        var tokenizer = new Option<string?>("--tokenizer")
        {
            Description = "The tokenizer of a folder that holds none: byte, gpt2, or the folder of one. Default: the folder's.",
            HelpName = "NAME|DIR",
        };
        var prompt = new Option<string>("--prompt")
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
        var seed = new Option<ulong>("--seed") { Description = "The same seed writes the same text.", DefaultValueFactory = _ => 42 };
        var beams = new Option<int>("--beams")
        {
            Description = "For a transformer, which answers the prompt: how many answers it follows at once; 1 takes the likeliest token.",
            DefaultValueFactory = _ => new BeamSettings().Beams
        };
        var penalty = new Option<double>("--length-penalty")
        {
            Description = "For a transformer: 0 compares answers by their probability, which favours short ones; more favours longer ones.",
            DefaultValueFactory = _ => new BeamSettings().LengthPenalty
        };
        var dataDir = CommonOptions.DataDir();

        var command = new TeachingCommand("generate",
            "Continues a text with the newest checkpoint of a run, also while the run still trains, or with the model of a folder.",
            """
            elastic generate --run tiny --prompt "Gets the"
            elastic generate --run tiny --prompt "Returns" --temperature 0           always the likeliest
            elastic generate --run tiny --tokens 1000 --top-k 40 --seed 7
            elastic generate --model ~/gpt2 --prompt "The"                           published weights
            elastic generate --run dates --prompt "12 March 2021" --beams 4           an encoder-decoder answers
            """)
        { run, model, tokenizer, prompt, tokens, temperature, topK, topP, seed, beams, penalty, dataDir };
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(run) is null == parsed.GetValue(model) is null)
                parsed.AddError("name what writes: either a run with --run NAME, or a folder with --model DIR");
            if (parsed.GetValue(tokenizer) is not null && parsed.GetValue(model) is null)
                parsed.AddError("--tokenizer belongs to --model: a run has its own");
        });
        command.SetAction((parsed, cancel) =>
        {
            var request = new SampleRequest(
                parsed.GetValue(prompt)!, parsed.GetValue(tokens),
                new SamplingSettings(parsed.GetValue(temperature), parsed.GetValue(topK), parsed.GetValue(topP), parsed.GetValue(seed)),
                Beams: IsGiven(beams) || IsGiven(penalty) ? new BeamSettings(parsed.GetValue(beams), parsed.GetValue(penalty)) : null,
                GivenSampling: new Option[] { temperature, topK, topP, seed }.FirstOrDefault(IsGiven)?.Name);
            var problems = Problems(request).ToList();
            if (problems.Count > 0)
                throw new SettingsException(problems);
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            using var writer = parsed.GetValue(model) is { } folder
                ? TextModel.OfFolder(folder, parsed.GetValue(tokenizer))
                : TextModel.OfRun(
                    CommonOptions.OpenDataDirectory(parsed, dataDir), CommonOptions.RunOf(parsed.GetValue(run)!), error.WriteLine);
            SampleText.Stream(writer, request, text =>
            {
                output.Write(text);
                output.Flush();
            }, cancel, error.WriteLine);
            output.WriteLine();
            return Task.FromResult(ExitCodes.Done);

            bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
        });
        return command;
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
    }
}
