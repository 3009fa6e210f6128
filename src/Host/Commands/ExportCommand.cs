using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Vectors;
using Elastic.ObjectStore;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary><c>elastic export</c>: writes the newest checkpoint of a run as a folder that Hugging Face's libraries open.</summary>
internal static class ExportCommand
{
    public static Command Build()
    {
        var run = CommonOptions.RequiredRunName("The run whose newest checkpoint is written.");
        var folder = new Option<string>("--out")
        {
            Description = "The folder to make, or s3://BUCKET/PREFIX of an S3-compatible store. It must not be there yet, or be empty; "
                + "what an interrupted export has stored of the same weights is used.",
            HelpName = "DIR|s3://...",
            Required = true,
        };
        var type = new Option<string>("--dtype")
        {
            Description = "fp32 keeps every bit; bf16 and fp16 take half the room and round to the nearest.",
            DefaultValueFactory = _ => ElementType.Float32.Word(),
        };
        type.AcceptOnlyFromAmong([.. Enum.GetValues<ElementType>().Select(t => t.Word())]);
        var adapter = new Option<bool>("--adapter")
        {
            Description = "Writes the adapter alone (model.lora-rank), as a folder that PEFT opens beside the model that it was trained "
                + "with. Without it, the adapter is added to the weights.",
        };
        var (dataDir, json) = (CommonOptions.DataDir(), CommandOutput.Option());

        var command = new TeachingCommand("export",
            "Writes the newest checkpoint of a run as a Hugging Face folder: config.json, model.safetensors and the tokenizer's files. "
            + "Works also while the run still trains.",
            """
            elastic export --run tiny --out tiny-model
            elastic export --run books --out books-model --dtype bf16                half the size
            elastic export --run fine --out fine-adapter --adapter                   what LoRA has trained, some megabytes
            elastic export --run books --out s3://bucket/books                       to a store; elastic train --init takes it from there
            python3 -c 'from transformers import AutoModelForCausalLM as M; M.from_pretrained("tiny-model")'
            """)
        { run, folder, type, adapter, dataDir, json };
        command.SetAction(async (parsed, asked) =>
        {
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            var name = CommonOptions.RunOf(parsed.GetValue(run)!);
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            var root = data.ExistingRun(name).Root;
            return await Interruption.RunAsync(error, "stopping; nothing half-written stays in the folder", async cancel =>
            {
                using var target = await FolderTarget.OpenAsync(parsed.GetValue(folder)!, "a model", cancel);
                var place = target.Folder;
                NewFolder.CheckFree(place, folder.Name);
                using var checkpoint = await Task.Run(() => CheckpointReader.LoadNewest(root), cancel).WaitAsync(cancel);
                foreach (var passed in checkpoint.Passed)
                    error.WriteLine($"passed over {passed}");
                var (model, tokenizer) = (checkpoint.Settings.Model, Tokenizer.OpenStored(checkpoint.Manifest.Tokenizer, root));
                var chat = parsed.GetValue(adapter) ? null : ChatOf(checkpoint.Settings, data, tokenizer, root, error.WriteLine);
                var elements = ElementTypes.Find(parsed.GetValue(type)!)!.Value;
                await WritePlace.WriteAsync(place, target.Remedy(folder.Name), () =>
                {
                    if (parsed.GetValue(adapter))
                        WriteAdapter(name, place, checkpoint.Vectors, model, elements, cancel);
                    else
                        ModelFolderWriter.Write(
                            place, checkpoint.Vectors, model, elements, tokenizer.EndOfText,
                            TokenizerFiles.Of(tokenizer, model.Context, chat), chat?.BeginningIn(tokenizer),
                            chat?.EndOfAnswer(tokenizer).Token, cancel);
                    return Task.FromResult(place);
                });
                var (rounds, bytes) = (checkpoint.Manifest.Version, KeptRuns.SizeOf(place));
                output.Say($"run {name} after {Units.Many(rounds, "round")}   {model.Signature}   "
                    + $"fingerprint {new Digest(checkpoint.Manifest.Fingerprint).Short}");
                await target.CompleteAsync(
                    parsed.GetValue(adapter) ? AdapterFolder.ConfigName : ModelFolder.ConfigName, error.WriteLine, cancel);
                output.Say($"written as {elements.Word()} to {target}, {Units.Bytes(bytes)}");
                output.Result(new JsonObject
                {
                    ["run"] = name.Value,
                    ["round"] = rounds,
                    ["fingerprint"] = checkpoint.Manifest.Fingerprint,
                    ["dtype"] = elements.Word(),
                    ["folder"] = target.ToString(),
                    ["bytes"] = bytes,
                });
                return ExitCodes.Done;
            }, asked);
        });
        return command;
    }

    // A folder that talks says how.
    private static ChatFormat? ChatOf(
        TrainingSettings settings, DataDirectory data, Tokenizer tokenizer, string run, Action<string> notice)
    {
        const string Without = "written without a chat template: ";
        try
        {
            var here = settings with { Model = data.Models.Here(settings.Model) };
            if (ModelChat.OfRun(here, tokenizer, run) is { } chat)
                return chat;
            if (settings.Corpus.ChatTemplate == ChatTemplate.Tokenizer)
                _ = ChatFolder.Stored(run, tokenizer);
            // A checkpoint has none.
            else if (ModelChat.InitOf(here) is { } init && !Path.Exists(init) && !init.EndsWith(".json", StringComparison.Ordinal)
                && !settings.Model.IsMasked)
                notice($"{Without}the run began with {ModelChat.InitOf(settings)}, which is not on this machine; if that has a template, "
                    + "export where it is, or copy its chat_template.jinja into the folder");
            return null;
        }
        catch (ElasticException e)
        {
            notice($"{Without}{e.Message}");
            return null;
        }
    }

    private static void WriteAdapter(
        RunName run, string place, ReplicaVectors vectors, ModelSettings model, ElementType elements, CancellationToken cancel)
    {
        if (!model.Lora.IsUsed)
            throw new ElasticException(
                $"run {run} has no adapter: it trained all weights (model.lora-rank = 0); leave --adapter away to write them");
        using var network = Adapters.NetworkOf(vectors, model);
        AdapterFolderWriter.Write(place, vectors, model, elements, network.FingerprintOf(), cancel);
    }
}
