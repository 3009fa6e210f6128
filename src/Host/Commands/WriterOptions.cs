using System.CommandLine;
using Elastic.Foundation;
using Elastic.Host.Generation;

namespace Elastic.Host.Commands;

/// <summary>The options that name a model: of a run, or of a folder.</summary>
internal sealed class WriterOptions
{
    private readonly Option<string?> _run, _model, _adapter, _tokenizer;
    private readonly Option<int?> _round = CommonOptions.Round();

    /// <param name="what">What the model is to do, e.g. "writes".</param>
    /// <param name="isRequired">False where the command has uses without a model, and says itself where it needs one.</param>
    public WriterOptions(Command command, string what, bool isRequired = true)
    {
        _run = CommonOptions.RunName($"The run whose checkpoint {what}.");
        _model = new Option<string?>("--model")
        {
            Description = $"A Hugging Face folder (config.json and safetensors) whose model {what}, in place of a run; or a folder that "
                + "pbm run fetch has made.",
            HelpName = "DIR",
        };
        _adapter = new Option<string?>("--adapter")
        {
            Description = "A folder with an adapter of that model, as PEFT and elastic export --adapter write them.",
            HelpName = "DIR",
        };
        _tokenizer = new Option<string?>("--tokenizer")
        {
            Description = "The tokenizer of a folder that holds none: byte, gpt2, or the folder of one. Default: the folder's.",
            HelpName = "NAME|DIR",
        };
        command.Options.Add(_run);
        command.Options.Add(_model);
        command.Options.Add(_round);
        command.Options.Add(_adapter);
        command.Options.Add(_tokenizer);
        command.Validators.Add(parsed =>
        {
            var (isRun, isModel) = (parsed.GetValue(_run) is not null, parsed.GetValue(_model) is not null);
            if (isRun && isModel)
                parsed.AddError($"--run and --model both name what {what}: give one of them");
            else if (!isRun && !isModel && isRequired)
                parsed.AddError($"name what {what}: either a run with --run NAME, or a folder with --model DIR");
            if (parsed.GetValue(_tokenizer) is not null && parsed.GetValue(_model) is null)
                parsed.AddError("--tokenizer belongs to --model: a run has its own");
            if (parsed.GetValue(_round) is not null && !isRun && !isModel)
                parsed.AddError("--round belongs to --run, or to --model with a folder that pbm run fetch has made");
            if (parsed.GetValue(_adapter) is not null && parsed.GetValue(_model) is null)
                parsed.AddError("--adapter belongs to --model: a run has its own");
        });
    }

    /// <summary>Whether a model is named.</summary>
    public bool IsGiven(ParseResult parsed) => parsed.GetValue(_run) is not null || parsed.GetValue(_model) is not null;

    /// <summary>Loads the model. Reports damaged checkpoints, which it skips, to <paramref name="notice"/>.</summary>
    /// <exception cref="NotFoundException">There is no such run or folder.</exception>
    public TextModel Load(ParseResult parsed, Option<string?> dataDir, Action<string> notice)
    {
        foreach (var option in new[] { _model, _adapter })
            if (parsed.GetValue(option) is { } named && !Directory.Exists(named))
                throw File.Exists(named)
                    ? new ElasticException(
                        $"{option.Name} {named} is a file: name the folder that it is in, for a checkpoint the one above")
                    : new NotFoundException($"{option.Name} {named}: there is no such folder");
        return parsed.GetValue(_model) is { } folder
            ? TextModel.OfAnyFolder(folder, parsed.GetValue(_tokenizer), parsed.GetValue(_adapter), notice, parsed.GetValue(_round))
            : TextModel.OfRun(
                CommonOptions.OpenDataDirectory(parsed, dataDir), CommonOptions.RunOf(parsed.GetValue(_run)!), notice,
                parsed.GetValue(_round));
    }
}
