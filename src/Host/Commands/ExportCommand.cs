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
        var run = CommonOptions.RunName("The run whose newest checkpoint is written.");
        var fetched = new Option<string?>("--model")
        {
            Description = "A folder that pbm run fetch has made, in place of a run.",
            HelpName = "DIR",
        };
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
        var (round, dataDir, json) = (CommonOptions.Round(), CommonOptions.DataDir(), CommandOutput.Option());

        var command = new TeachingCommand("export",
            "Writes a checkpoint of a run, the newest one, as a Hugging Face folder: config.json, model.safetensors and the tokenizer's "
            + "files. Works also while the run still trains.",
            """
            elastic export --run tiny --out tiny-model
            elastic export --run books --out books-model --dtype bf16                half the size
            elastic export --run books --round 15 --out books-15                     another checkpoint than the newest
            elastic export --run fine --out fine-adapter --adapter                   what LoRA has trained, some megabytes
            elastic export --run books --out s3://bucket/books                       to a store; elastic train --init takes it from there
            elastic export --model fetched --out books-model                         of pbm run fetch -n books -o fetched
            python3 -c 'from transformers import AutoModelForCausalLM as M; M.from_pretrained("tiny-model")'
            """)
        { run, fetched, round, folder, type, adapter, dataDir, json };
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(run) is null == parsed.GetValue(fetched) is null)
                parsed.AddError("name what is written: either a run with --run NAME, or a folder of pbm run fetch with --model DIR");
        });
        command.SetAction(async (parsed, asked) =>
        {
            var (output, error) = (CommandOutput.Of(parsed, json), parsed.InvocationConfiguration.Error);
            var (root, models) = PlaceOf(parsed, run, fetched, dataDir);
            return await Interruption.RunAsync(error, "stopping; nothing half-written stays in the folder", async cancel =>
            {
                using var target = await FolderTarget.OpenAsync(parsed.GetValue(folder)!, "a model", cancel);
                var place = target.Folder;
                NewFolder.CheckFree(place, folder.Name);
                using var checkpoint = await Task.Run(
                    () => CheckpointReader.Load(root, parsed.GetValue(round)), cancel).WaitAsync(cancel);
                foreach (var passed in checkpoint.Passed)
                    error.WriteLine($"passed over {passed}");
                var (model, tokenizer) = (checkpoint.Settings.Model, Tokenizer.OpenStored(checkpoint.Manifest.Tokenizer, root));
                var chat = parsed.GetValue(adapter) ? null : ChatOf(checkpoint.Settings, models, tokenizer, root, error.WriteLine);
                var roles = RolesOf(checkpoint.Settings, models, tokenizer);
                var name = new RunId(checkpoint.Manifest.Run).Name;
                var elements = ElementTypes.Find(parsed.GetValue(type)!)!.Value;
                await WritePlace.WriteAsync(place, target.Remedy(folder.Name), () =>
                {
                    if (parsed.GetValue(adapter))
                        WriteAdapter(name, place, checkpoint.Vectors, model, elements, cancel);
                    else
                        ModelFolderWriter.Write(
                            place, checkpoint.Vectors, model, elements, tokenizer.EndOfText,
                            TokenizerFiles.Of(tokenizer, model.Context, chat, roles),
                            chat?.BeginningIn(tokenizer) ?? roles.Beginning, chat?.EndOfAnswer(tokenizer).Token, roles.Ends, cancel);
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

    // The folder with the checkpoint, and the folders of stores that runs began with.
    private static (string Root, StoredModels? Models) PlaceOf(
        ParseResult parsed, Option<string?> run, Option<string?> fetched, Option<string?> dataDir)
    {
        if (parsed.GetValue(run) is { } name)
        {
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            return (data.ExistingRun(CommonOptions.RunOf(name)).Root, data.Models);
        }
        var folder = parsed.GetValue(fetched)!;
        if (!Directory.Exists(folder))
            throw new NotFoundException($"--model {folder}: there is no such folder");
        return TextModel.IsOfRun(folder) ? (folder, null) : throw new ElasticException(
            $"--model {folder} is no folder that pbm run fetch has made: it has no checkpoints");
    }

    // A folder that talks says how.
    private static ChatFormat? ChatOf(
        TrainingSettings settings, StoredModels? models, Tokenizer tokenizer, string run, Action<string> notice)
    {
        const string Without = "written without a chat template: ";
        try
        {
            var here = settings with { Model = models?.Here(settings.Model) ?? settings.Model };
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

    // What the folder says that the run began with, where it is here and can be read; the tokenizer does without.
    private static TokenRoles RolesOf(TrainingSettings settings, StoredModels? models, Tokenizer tokenizer)
    {
        try
        {
            return ModelChat.InitOf(settings with { Model = models?.Here(settings.Model) ?? settings.Model }) is { } init
                ? TokenRoles.Of(init, tokenizer) : TokenRoles.None;
        }
        catch (ElasticException)
        {
            return TokenRoles.None;
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
