using System.CommandLine;
using Elastic.Host.Configuration;

namespace Elastic.Host.Commands;

/// <summary>The options of <c>elastic train</c> that are about settings, which <c>elastic config</c> shows with the same ones.</summary>
internal sealed class TrainOptions
{
    private readonly Option<string[]> _config = CommonOptions.Config(), _set = CommonOptions.Set(), _corpus = CommonOptions.Corpus();
    private readonly Option<string?> _dataDir = CommonOptions.DataDir(), _devices = CommonOptions.Devices();
    private readonly Option<bool> _noDashboard = CommonOptions.NoDashboard();

    private readonly Option<string?> _run =
        CommonOptions.RunName("Names the run; the same name goes on with the same run. Default: run.name of the configuration.");

    private readonly Option<string?> _init = new("--init")
    {
        Description = "Starts from these weights: a Hugging Face folder (config.json and safetensors), which decides the model's shape "
            + "and its tokenizer, an adapter's folder (adapter_config.json), which decides the adapter, too, or "
            + "the round-NNNNNN.json of a run's checkpoints folder. A folder may be s3://BUCKET/PREFIX of an S3-compatible store, "
            + "from where it is fetched into the data directory. The same as --set model.init.",
        HelpName = "DIR|FILE|s3://...",
    };

    private readonly Option<string?> _initBase = new("--init-base")
    {
        Description = "Where --init is an adapter's folder: the folder of the model beside which it was trained. Default: the one that "
            + "the adapter's folder names. The same as --set model.init-base.",
        HelpName = "DIR|s3://...",
    };

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => [_config, _set, _corpus, _run, _init, _initBase, _dataDir, _devices, _noDashboard];

    /// <summary>Reads what the command line asks for.</summary>
    public ConfigurationRequest Read(ParseResult parsed) => new(
        parsed.GetValue(_config)!, parsed.GetValue(_set)!, parsed.GetValue(_corpus), parsed.GetValue(_run), parsed.GetValue(_devices),
        parsed.GetValue(_dataDir), CommonOptions.EnvironmentDataDir)
    {
        Options =
        [
            (_init.Name, "model.init", parsed.GetValue(_init)), (_initBase.Name, "model.init-base", parsed.GetValue(_initBase)),
            (_noDashboard.Name, "node.dashboard", parsed.GetValue(_noDashboard) ? "false" : null),
        ],
    };
}
