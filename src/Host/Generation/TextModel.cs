using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Host.Generation;

/// <summary>A model that writes or scores text: parameters in memory with their tokenizer, of a run or of a folder.</summary>
/// <param name="Name">What people call it: the run's name, or the folder's path.</param>
internal sealed record TextModel(string Name, ModelSettings Settings, ReplicaVectors Vectors, Tokenizer Tokenizer) : IDisposable
{
    private readonly Lazy<string> _fingerprint = new(() => Vectors.FingerprintOf().Hex);

    /// <summary>What programs call it: the run's name, or the folder's without the folders above it.</summary>
    public string ServedName => Round is null ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Name))) : Name;

    /// <summary>The run that trained it, however its folder is called; null for a folder's model.</summary>
    public RunName? Run { get; private init; }

    /// <summary>The round that the run's checkpoint was made after; null for a folder's model.</summary>
    public int? Round { get; private init; }

    /// <summary>The run's settings; null for a folder's model.</summary>
    public TrainingSettings? Training { get; private init; }

    /// <summary>The run's folder, or the model's.</summary>
    public string Folder { get; private init; } = Name;

    /// <summary>The parameters' fingerprint: for a run's model the version's.</summary>
    public string Fingerprint => _fingerprint.Value;

    public IArchitecture Architecture { get; } = Architectures.Open(Settings);

    /// <summary>A checkpoint of a run. Reports damaged checkpoints, which it skips, to <paramref name="notice"/>.</summary>
    /// <param name="round">After which it was taken; null for the newest.</param>
    public static TextModel OfRun(DataDirectory data, RunName run, Action<string> notice, int? round = null) =>
        OfRunFolder(data.ExistingRun(run).Root, $"{run}", notice, data.Models, round);

    /// <summary>A checkpoint in the folder of a run.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="models">Where folders of stores are that runs began with; null for nowhere.</param>
    /// <inheritdoc cref="OfRun" path="/param"/>
    public static TextModel OfRunFolder(
        string folder, string name, Action<string> notice, StoredModels? models = null, int? round = null)
    {
        var checkpoint = CheckpointReader.Load(folder, round);
        foreach (var passed in checkpoint.Passed)
            notice($"passed over {passed}");
        var tokenizer = Tokenizer.OpenStored(checkpoint.Manifest.Tokenizer, folder);
        if (tokenizer.VocabularySize <= checkpoint.Settings.Model.Vocabulary)
        {
            return new TextModel(name, checkpoint.Settings.Model, checkpoint.Vectors, tokenizer)
            {
                Run = new RunId(checkpoint.Manifest.Run).Name,
                Round = checkpoint.Manifest.Version,
                Folder = folder,
                Training = checkpoint.Settings with
                {
                    Model = models?.Here(checkpoint.Settings.Model) ?? checkpoint.Settings.Model,
                },
            };
        }
        checkpoint.Dispose();
        throw new ElasticException(
            $"the tokenizer in {folder} has {tokenizer.VocabularySize} tokens, and the model {checkpoint.Settings.Model.Vocabulary}: "
            + "copy the right one there from another node of the run");
    }

    /// <summary>The model of a Hugging Face folder, or of the folder of a run, as <c>pbm run fetch</c> makes them.</summary>
    /// <param name="round">Which checkpoint of a run; null for the newest.</param>
    /// <inheritdoc cref="OfFolder"/>
    public static TextModel OfAnyFolder(
        string path, string? tokenizer, string? adapter, Action<string> notice, int? round = null)
    {
        if (!IsOfRun(path))
            return round is null ? OfFolder(path, tokenizer, adapter) : throw new ElasticException(
                $"--round {round}: {path} is no folder of a run, and has one model; leave it out");
        return tokenizer is null && adapter is null
            ? OfRunFolder(path, Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))), notice, round: round)
            : throw new ElasticException(
                $"{path} is the folder of a run, which has its own {(tokenizer is null ? "adapter" : "tokenizer")}: leave the other out");
    }

    /// <summary>True for the folder of a run, also before its first checkpoint, and false for a Hugging Face folder.</summary>
    public static bool IsOfRun(string path) => new RunFolder(path) is var run
        && (Directory.Exists(run.Checkpoints) || (Directory.Exists(run.Blobs) && RunId.IsId(Path.GetFileName(Path.GetFullPath(path)))))
        && !File.Exists(Path.Combine(path, ModelFolder.ConfigName));

    /// <summary>The model of a Hugging Face folder.</summary>
    /// <param name="tokenizer">The tokenizer's name; null for the folder's own.</param>
    /// <param name="adapter">The folder of an adapter of this model; null for none.</param>
    /// <exception cref="ElasticException">
    /// The folder holds no model, or no tokenizer that is known here; or the adapter is none, or of another model.
    /// </exception>
    public static TextModel OfFolder(string path, string? tokenizer, string? adapter = null)
    {
        using var folder = ModelFolder.Open(path);
        var chosen = (tokenizer is null ? TokenizerFiles.Recognize(path) : Tokenizer.Find(tokenizer)) ?? throw new ElasticException(
            $"{path} has no tokenizer: say which one its model was trained with, "
            + $"--tokenizer {string.Join(" or ", Tokenizer.All.Select(t => t.Id))}, or a tokenizer's folder");
        if (chosen.VocabularySize > folder.Model.Vocabulary)
            throw new ElasticException($"the tokenizer {chosen.Id} has {chosen.VocabularySize} tokens, "
                + $"and the model in {path} {folder.Model.Vocabulary}: say which one the model was trained with, "
                + $"--tokenizer {string.Join(" or ", Tokenizer.All.Select(t => t.Id))}, or a tokenizer's folder");
        if (adapter is null)
            return new TextModel(path, folder.Model, folder.Load(), chosen);
        using var beside = AdapterFolder.Open(adapter);
        using var network = folder.Load();
        var (vectors, model) = beside.Load(network, folder.Model, folder.Fingerprint);
        return new TextModel(path, model, vectors, chosen);
    }

    /// <summary>Refuses a model that cannot go on with a text.</summary>
    /// <exception cref="ElasticException">It sees tokens from both sides.</exception>
    public void RefuseMasked()
    {
        if (Settings.IsMasked)
            throw new ElasticException(
                $"{Name} is a {Settings.Architecture}: it predicts hidden tokens from both sides, and does not continue a text");
    }

    /// <summary>A device with the parameters, to be used by the calling thread. Devices on the CPU share one copy.</summary>
    /// <exception cref="ElasticException">There is no such device, it cannot be had, or its memory is short.</exception>
    public OpenedDevice Open(DeviceId id, int threads) => DeviceBackends.Ask(() => OpenOf(id, threads));

    /// <summary>The run's copy of the chat template that came with its tokenizer; null where it was trained without.</summary>
    /// <exception cref="ElasticException">The copy is not there, or cannot be read.</exception>
    public ChatFormat? StoredChat() =>
        Training?.Corpus.ChatTemplate == ChatTemplate.Tokenizer ? ChatFolder.Stored(Folder, Tokenizer) : null;

    /// <summary>Tokens of a text; those of an empty one are the end of text alone, after which a document begins.</summary>
    public List<int> Encode(string text)
    {
        List<int> tokens = [];
        Tokenizer.Encode(text, tokens);
        if (tokens.Count == 0)
            tokens.Add(Tokenizer.EndOfText);
        return tokens;
    }

    public void Dispose() => Vectors.Dispose();

    private OpenedDevice OpenOf(DeviceId id, int threads)
    {
        var backend = DeviceBackends.Of(id);
        var device = backend.Open(id, Architecture, 0, threads, RecomputeMode.None);
        ReplicaVectors? copy = null;
        try
        {
            if (backend.Kind != "cpu")
            {
                copy = new ReplicaVectors(Vectors.Layout, length => backend.Allocate(id, length));
                device.Use(() => Copy(copy));
            }
            device.Attach(copy ?? Vectors);
            return new OpenedDevice(device, copy);
        }
        catch
        {
            device.Dispose();
            copy?.Dispose();
            throw;
        }
    }

    private bool Copy(ReplicaVectors into)
    {
        const int Piece = 1 << 24;
        for (var first = 0L; first < Vectors.Layout.Length; first += Piece)
        {
            into.CopyFrom(VectorSet.Parameters, first, Vectors.Floats(
                VectorSet.Parameters, first, (int)Math.Min(Piece, Vectors.Layout.Length - first)));
        }
        return true;
    }
}

/// <summary>A device that writes, and the copy of the parameters that it has for itself.</summary>
internal sealed record OpenedDevice(TrainingDevice Device, ReplicaVectors? Copy) : IDisposable
{
    public void Dispose()
    {
        Device.Dispose();
        Copy?.Dispose();
    }
}
