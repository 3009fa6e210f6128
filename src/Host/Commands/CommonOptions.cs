using System.CommandLine;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary>Options that several commands share, each with the same name and words everywhere.</summary>
internal static class CommonOptions
{
    public const string DataDirName = "--data-dir";
    public const string SetName = "--set";
    public const string CertsName = "--certs";
    public const string PromptName = "--prompt";
    public const string StopName = "--stop";
    public const string DefaultFolder = "elastic-data";

    /// <summary>ELASTIC_DATA_DIR, or elastic-data in the current directory.</summary>
    public static string DefaultDataDir => EnvironmentDataDir ?? DefaultFolder;

    /// <summary>The value of ELASTIC_DATA_DIR; null where it is not set.</summary>
    public static string? EnvironmentDataDir => Environment.GetEnvironmentVariable("ELASTIC_DATA_DIR") is { Length: > 0 } dir ? dir : null;

    /// <summary>The database of a seed: a variable, since it may hold a password that should not stand in a command line.</summary>
    public static string? EnvironmentDatabase => Environment.GetEnvironmentVariable("ELASTIC_DATABASE") is { Length: > 0 } url ? url : null;

    /// <summary>How conversations are written down for a model.</summary>
    public static Option<string?> ChatTemplate() => new("--chat-template")
    {
        Description = "How conversations are written down for the model: plain, chatml, llama3, a tokenizer's folder, or the file of a "
            + "Jinja template. Default: the template that the model comes with, or that the run was trained with.",
        HelpName = "NAME|DIR|FILE",
    };

    public static Option<bool> NoDashboard() => new("--no-dashboard")
    { Description = "Serves neither the HTTP API nor the dashboard. The same as --set node.dashboard=false." };

    public static Option<string?> DataDir() => new(DataDirName)
    {
        Description = "Holds the journal, the blobs, the corpora and the runs. "
            + "Default: ELASTIC_DATA_DIR, else elastic-data in the current directory.",
        HelpName = "DIR",
    };

    public static Option<string?> Certs() => new(CertsName)
    {
        Description = $"The folder of the certificates. Default: {CertificateFiles.InDataDirectory} in the data directory.",
        HelpName = "DIR",
    };

    /// <summary>A file, since whoever may list the processes of a machine sees their options.</summary>
    public static Option<string?> TokenFile() => new("--token-file")
    {
        Description = "A file with the join token that gets this machine its certificate (elastic certs token); - for standard input.",
        HelpName = "FILE",
    };

    public static Option<string?> Database() => new("--database")
    {
        Description = "Where the seeds' journal is, as for elastic seed. Default: journal.db in the data directory, where it is there, "
            + "else ELASTIC_DATABASE.",
        HelpName = "URL",
    };

    /// <summary>One GPU, as <see cref="GpuOf"/> reads it.</summary>
    public static Option<string> Gpu(string description)
    {
        var option = new Option<string>("--device")
        {
            Description = description,
            HelpName = "cuda:N",
            DefaultValueFactory = _ => "cuda:0",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is var given && !IsDevice(given))
                result.AddError($"{option.Name} {given}: use a GPU's name, e.g. cuda:0");
        });
        return option;
    }

    /// <summary>A whole number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    /// <param name="otherwise">Where it is not given; null where it has to be.</param>
    public static Option<int> Number(string name, string description, int least, int most, int? otherwise = null)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "N", Required = otherwise is null };
        if (otherwise is { } value)
            option.DefaultValueFactory = _ => value;
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is var given && (given < least || given > most))
                result.AddError($"{name} {given}: use a number from {least} to {most}");
        });
        return option;
    }

    /// <summary>The device that an option of <see cref="Gpu"/> names.</summary>
    public static DeviceId GpuOf(ParseResult parsed, Option<string> device) => new(parsed.GetValue(device)!);

    public static Option<string?> RunName(string description) => new("--run") { Description = description, HelpName = "NAME" };

    /// <summary>Which checkpoint of a run; null for the newest.</summary>
    public static Option<int?> Round()
    {
        var option = new Option<int?>("--round")
        {
            Description = "The checkpoint after this round of the run, where it is kept. Default: the newest.",
            HelpName = "N",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 and var given)
                result.AddError($"--round {given}: use the number of a round, from 1 on");
        });
        return option;
    }

    public static Option<string> RequiredRunName(string description) =>
        new("--run") { Description = description, HelpName = "NAME", Required = true };

    public static Option<string[]> Config() => new("--config")
    {
        Description = $"A preset ({string.Join(", ", Presets.Names)}) or a HOCON file. Repeat it to put one on top of another. "
            + $"Default: {Presets.Default}.",
        HelpName = "PRESET|FILE",
        DefaultValueFactory = _ => [],
    };

    /// <param name="example">With a key that the command takes.</param>
    public static Option<string[]> Set(
        string example = "--set optimizer.learning-rate=1e-3 or --set optimizer.betas=[0.9,0.99]") => new(SetName)
        {
            Description = $"Sets one configuration key, e.g. {example}. Repeatable; beats files.",
            HelpName = "KEY=VALUE",
            DefaultValueFactory = _ => [],
        };

    public static Option<string[]> Corpus() => new("--corpus")
    {
        Description =
            "Files and folders of .txt .md .xml .html .jsonl .jsonl.gz .jsonl.zst .tsv .parquet. " +
            "Default: the documentation of the installed .NET SDK.",
        HelpName = "DIR|FILE",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    public static Option<string?> Devices() => new("--devices")
    {
        Description = "auto, cpu:N (N slots of one thread), cpu:0,2, cuda:all, cuda:0,1 or cuda:0#0,0#1 (logical devices of one GPU). "
            + "Changes how long it takes, not the result.",
        HelpName = "DEVICES",
    };

    /// <summary>The data directory that the command line names, checked but not created.</summary>
    public static DataDirectory OpenDataDirectory(ParseResult parsed, Option<string?> option) =>
        new(parsed.GetValue(option) ?? DefaultDataDir);

    /// <summary>The folder of certificates that the command line names.</summary>
    public static CertificateFiles CertificatesOf(ParseResult parsed, Option<string?> certs, Option<string?> dataDir) =>
        new(parsed.GetValue(certs) is { } folder ? Path.GetFullPath(folder)
            : Path.Combine(OpenDataDirectory(parsed, dataDir).Root, CertificateFiles.InDataDirectory));

    /// <summary>These options as they were typed, for a command that a person is told to type next; empty without any.</summary>
    public static string Typed(ParseResult parsed, params IEnumerable<Option<string?>> options) => string.Concat(
        options.Select(o => parsed.GetValue(o) is { } value ? $" {o.Name} {value}" : ""));

    /// <summary>A run by its name, which is also part of a folder's name and so must not lead to another folder.</summary>
    /// <param name="option">Where the name stands, for a message.</param>
    public static RunName RunOf(string name, string option = "--run")
    {
        // Checks the rule of run.name; the defaults break no other rule.
        var problems = (RunSettings.Defaults with { Name = name }).Problems().Select(p => $"{p} ({option})").ToList();
        return problems.Count > 0 ? throw new SettingsException(problems) : new RunName(name);
    }

    private static bool IsDevice(string text)
    {
        try
        {
            return new DeviceId(text).Parts is not null;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
