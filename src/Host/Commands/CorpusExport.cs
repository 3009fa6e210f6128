using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Corpus.Build.Exports;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.ObjectStore;

namespace Elastic.Host.Commands;

/// <summary><c>elastic corpus export</c>: the texts of a build for other programs, with what is known of each.</summary>
internal static class CorpusExport
{
    private static readonly Dictionary<string, ExportFormat> Formats = new()
    {
        ["parquet"] = ExportFormat.Parquet,
        ["jsonl.zst"] = ExportFormat.JsonLines,
    };

    public static Command Build()
    {
        var (text, dataDir, json) = (CorpusShow.TextId(), CommonOptions.DataDir(), CommandOutput.Option());
        var folder = new Option<string>("--out")
        {
            Description = "The folder to make, or s3://BUCKET/PREFIX of an S3-compatible store. It must not be there yet, or be empty; "
                + "what an interrupted export of the same text has stored is used.",
            HelpName = "DIR|s3://...",
            Required = true,
        };
        var format = new Option<string>("--format")
        {
            Description = "Parquet in groups of at most 16 MiB of text, or lines of JSON.",
            DefaultValueFactory = _ => Formats.Keys.First(),
        };
        format.AcceptOnlyFromAmong([.. Formats.Keys]);
        var dropped = new Option<bool>("--dropped") { Description = "Also what was dropped, with the stage and its reason." };
        var command = new TeachingCommand("export",
            "Writes the texts that a manifest was built to, by what they are for (train, validation, test), each with its document's "
            + "number, source, language, licence, URL and date, for other programs. The same text gives the same bytes.",
            """
            elastic corpus export --out my-text
            elastic corpus export --text 5f2c --dropped --out s3://bucket/my-text
            elastic corpus export --format jsonl.zst --out lines
            python3 -c 'import pandas; print(pandas.read_parquet("my-text/train-00000.parquet"))'
            """)
        { text, folder, format, dropped, dataDir, json };
        command.SetAction(async (parsed, asked) =>
        {
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            var built = BuiltTexts.Find(CommonOptions.OpenDataDirectory(parsed, dataDir), parsed.GetValue(text));
            return await Interruption.RunAsync(error, "stopping; nothing half-written stays in the folder", async cancel =>
            {
                using var target = await FolderTarget.OpenAsync(parsed.GetValue(folder)!, "a text", cancel);
                NewFolder.CheckFree(target.Folder, folder.Name);
                var report = await WritePlace.WriteAsync(target.Folder, target.Remedy(folder.Name), async () =>
                {
                    ExportReport written = null!;
                    await NewFolder.MakeAsync(target.Folder, async place => written = await TextExport.WriteAsync(
                        built, place, Formats[parsed.GetValue(format)!], parsed.GetValue(dropped), cancel));
                    return written;
                });
                await target.CompleteAsync(TextExport.FileName, error.WriteLine, cancel);
                Say(report, $"{target}", parsed.GetValue(format)!, output);
                return ExitCodes.Done;
            }, asked);
        });
        return command;
    }

    private static void Say(ExportReport report, string target, string format, CommandOutput output)
    {
        output.Say(report.Parts.Select(part =>
            $"{part.Name}   {Units.Count(part.Documents, "document")}, {Units.Bytes(part.Bytes)} of text"));
        var bytes = report.Files.Sum(f => f.Bytes);
        output.Say($"text {report.Text[..12]} written to {target}, {Units.Many(report.Files.Count + 1, "file")}, {Units.Bytes(bytes)}");
        output.Result(new JsonObject
        {
            ["text"] = report.Text,
            ["folder"] = target,
            ["format"] = format,
            ["bytes"] = bytes,
            ["parts"] = new JsonArray([.. report.Parts.Select(p => new JsonObject
            {
                ["name"] = p.Name, ["documents"] = p.Documents, ["records"] = p.Records, ["bytes"] = p.Bytes,
            })]),
            ["files"] = CommandOutput.Texts(report.Files.Select(f => f.Name)),
        });
    }
}
