using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Foundation.Certificates;
using Elastic.Host.Display;
using Elastic.Host.Doctor;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary><c>elastic doctor</c>: says what this machine has, what is missing, and how to mend it.</summary>
internal static class DoctorCommand
{
    public static Command Build()
    {
        var dataDir = CommonOptions.DataDir();
        var host = new Option<string>("--host")
        {
            Description = "The address that a seed or a worker here is to have: are its ports free?",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => NodeSettings.Defaults.Host,
        };
        var database = new Option<string?>("--database")
        {
            Description = "The seeds' database, as for elastic seed: does it answer, and is it whole? Default: ELASTIC_DATABASE, "
                + "else journal.db in the data directory, where it is there.",
            HelpName = "URL",
        };
        var bundle = new Option<string?>("--bundle")
        {
            Description = "Also writes an archive for whoever helps: these findings, the ends of the logs, the runs' settings and what was "
                + "observed of them. It has no weights, no text and no keys; look into it before you give it away.",
            HelpName = "FILE.zip",
        };
        var (certs, json) = (CommonOptions.Certs(), CommandOutput.Option());
        var command = new TeachingCommand("doctor",
            "Says what this machine can do: arithmetic, devices, memory, disk, default corpus, open files, ports, certificates, database. "
            + "Every problem comes with its remedy, and exit code 1.",
            """
            elastic doctor
            elastic doctor --host 10.0.0.5 \
                           --database "postgres://elastic@10.0.0.9/elastic?password-file=secret"   before a seed is started
            elastic doctor --data-dir seed --bundle help.zip       something is wrong, and somebody else should look at it
            ELASTIC_LIBTORCH=/opt/torch/lib elastic doctor         with the libtorch of an installed PyTorch, in builds with -p:Torch=true
            """)
        { dataDir, host, certs, database, bundle, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (data, output) = (CommonOptions.OpenDataDirectory(parsed, dataDir), CommandOutput.Of(parsed, json));
            var url = parsed.GetValue(database) ?? CommonOptions.EnvironmentDatabase;
            Finding[] findings = [];
            var code = Report(
                Findings(data, parsed.GetValue(host)!, CommonOptions.CertificatesOf(parsed, certs, dataDir), url)
                    .Select(f => (findings = [.. findings, f])[^1]), output);
            var result = new JsonObject
            {
                ["findings"] = new JsonArray([.. findings.Select(f => new JsonObject
                { ["subject"] = f.Subject, ["text"] = f.Text, ["remedy"] = f.Remedy })]),
                ["problems"] = findings.Count(f => f.Remedy is not null),
            };
            if (parsed.GetValue(bundle) is not { } file)
            {
                output.Result(result);
                return code;
            }

            var names = await new SupportBundle(data).WriteAsync(
                Path.GetFullPath(file), string.Join('\n', findings.SelectMany(f => f.Lines())),
                JournalOf(data, url) is { } journal ? DatabaseAddress.Parse(journal, data.Root) : null, cancel);
            output.Say($"written to {file}: {string.Join(", ", names)}");
            result["bundle"] = file;
            output.Result(result);
            return code;
        });
        return command;
    }

    /// <summary>Writes the findings as they come; some take a second.</summary>
    public static int Report(IEnumerable<Finding> findings, CommandOutput output)
    {
        var problems = 0;
        foreach (var finding in findings)
        {
            problems += finding.Remedy is null ? 0 : 1;
            output.Say(finding.Lines());
        }

        output.Say(problems == 0 ? "no problems: elastic train will do" : $"{Units.Many(problems, "problem")}");
        return problems == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static IEnumerable<Finding> Findings(
        DataDirectory data, string host, CertificateFiles certificates, string? database) =>
    [
        MachineFindings.System(), .. MachineFindings.Devices(), MachineFindings.Memory(), .. DiskFindings.Of(data),
        MachineFindings.DefaultText(), NodeFindings.Files(OpenFiles.Limit()), NodeFindings.Ports(host),
        .. CertificateFindings.Of(certificates, TimeProvider.System),
        .. JournalOf(data, database) is { } url ? [NodeFindings.Database(url)] : Array.Empty<Finding>(),
    ];

    // Where none is named, the one that elastic train and a seed without --database use.
    private static string? JournalOf(DataDirectory data, string? database) =>
        database ?? (new DataPaths(data.Root).Journal is var path && File.Exists(path) ? $"sqlite:{path}" : null);
}
