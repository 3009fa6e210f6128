using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;

namespace Elastic.Storage;

/// <summary>
/// The weights that <c>model.init</c> names: those of a Hugging Face folder, of an adapter's folder with its model, or of another run's
/// checkpoint.
/// </summary>
public static class StartingPoint
{
    /// <summary>
    /// The settings with <c>model.init-digest</c>, so that the run cannot begin with other weights, wherever they are read. Settings
    /// without <c>model.init</c> stay as they are.
    /// </summary>
    /// <exception cref="ElasticException">There are none, they are of another model, or they are not those of the digest.</exception>
    public static ModelSettings Pin(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Init is not { } path)
            return model;
        var found = FingerprintOf(path, model);
        return Differs(model, found) is { } why ? throw new ElasticException(why) : model with { InitDigest = found.Hex };
    }

    /// <summary>
    /// Opens the weights, once they are known to be those of <c>model.init-digest</c>. Where adapters are to be trained and the weights
    /// have none, these are drawn.
    /// </summary>
    /// <param name="seed">The run's.</param>
    /// <exception cref="ElasticException">There are none, they are of another model, or others.</exception>
    /// <exception cref="IOException">A blob of a checkpoint is missing.</exception>
    public static StartingWeights Open(ModelSettings model, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        var path = model.Init ?? throw new ArgumentException("the settings name no weights", nameof(model));
        if (Differs(model, FingerprintOf(path, model)) is { } why)
            throw new ElasticException(why);
        if (AdapterFolder.IsAt(path))
        {
            var (adapter, folder) = OpenAdapter(path, model);
            return Opened(() =>
            {
                var (own, read) = adapter.Beside(folder, model);
                return new StartingWeights(own, read, found => Differs(model, found), adapter, folder);
            }, adapter, folder);
        }

        var (layout, network) = (Architectures.LayoutOf(model), ModelIn(path, model));
        // Beside adapters that are drawn the network's own fingerprint is what the digest is of.
        string? Other(Digest found) => Differs(model, network == model ? found : FingerprintOf(path, model));
        if (!Directory.Exists(path))
        {
            var stored = CheckpointParameters.Find(path, CheckpointManifest.Read(path), network);
            return StartingWeights.Beside(stored.Layout, (name, first, into) => stored.Read(name, first, into.Span), layout, seed, Other);
        }

        var its = Open(path, network);
        return Opened(() =>
        {
            its.CheckTies();
            return StartingWeights.Beside(
                Architectures.LayoutOf(network), (name, first, into) => its.Read(name, first, into.Span), layout, seed, Other, its);
        }, its);
    }

    /// <summary>What people should know of the weights that a new run starts from, a sentence each.</summary>
    public static IReadOnlyList<string> Notices(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.Init is not { } path || !Directory.Exists(path))
            return [];
        try
        {
            using var folder = ModelFolder.Open(path);
            return folder.Drawn.Count == 0 ? [] :
            [
                $"{path} holds an encoder without its head: {string.Join(", ", folder.Drawn)} are drawn as for a fresh model, the same "
                    + "ones each time, and have to be trained",
            ];
        }
        catch (ElasticException)
        {
            // The start of the run says so; one that goes on needs the folder no more.
            return [];
        }
    }

    private static StartingWeights Opened(Func<StartingWeights> open, params IDisposable[] files)
    {
        try
        {
            return open();
        }
        catch
        {
            Array.ForEach(files, f => f.Dispose());
            throw;
        }
    }

    // Neither is held in memory: their chunks are, some at a time.
    private static Digest FingerprintOfAdapter(string path, ModelSettings model)
    {
        var (adapter, folder) = OpenAdapter(path, model);
        using (adapter)
        using (folder)
        {
            var (layout, read) = adapter.Beside(folder, model);
            return VectorStore.FingerprintOf(layout, (first, count) =>
            {
                var elements = new float[count];
                read(first, elements);
                return Digest.Of(MemoryMarshal.AsBytes(elements.AsSpan()));
            });
        }
    }

    private static (AdapterFolder Adapter, ModelFolder Network) OpenAdapter(string path, ModelSettings model)
    {
        var adapter = AdapterFolder.Open(path);
        try
        {
            return (adapter, OpenNetworkOf(adapter, path, model));
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    private static ModelFolder OpenNetworkOf(AdapterFolder adapter, string path, ModelSettings model)
    {
        if (!adapter.Lora.AreThoseOf(model.Lora, Architectures.Open(model).AdapterTargets))
            throw new ElasticException($"model.init = {path} holds an adapter of rank {adapter.Lora.Rank}, alpha "
                + string.Create(CultureInfo.InvariantCulture, $"{adapter.Lora.Alpha} of {string.Join(", ", adapter.Lora.Targets)}, ")
                + $"and the settings ask for {model.Signature} with alpha "
                + string.Create(CultureInfo.InvariantCulture, $"{model.Lora.Alpha}: set the model.lora-… keys to the folder's"));
        if (model.InitBase is not { } place)
            throw new ElasticException($"model.init = {path} is an adapter: say beside which model it was trained (model.init-base)");
        return Open(place, model.WithoutAdapters(), "model.init-base");
    }

    // An adapter's folder, and a checkpoint of a run with the same adapters, go on with them; everything else is the frozen network.
    private static ModelSettings ModelIn(string path, ModelSettings model) =>
        model.Lora.IsUsed && !AdapterFolder.IsAt(path) && (Directory.Exists(path) || CheckpointManifest.Read(path).Model != model.Signature)
            ? model.WithoutAdapters() : model;

    /// <summary>Says that weights are not those of <c>model.init-digest</c>; null where they are, or the settings have none.</summary>
    /// <param name="found">Fingerprint of the weights that were read.</param>
    public static string? Differs(ModelSettings model, Digest found)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.InitDigest is null || model.InitDigest == found.Hex
            ? null
            : $"model.init = {model.Init} has the weights {found.Short} here, and the run starts from {model.InitDigest[..12]}: "
              + "put the same files there on every node, or start a new run from these under another name";
    }

    private static Digest FingerprintOf(string path, ModelSettings model)
    {
        if (AdapterFolder.IsAt(path))
            return FingerprintOfAdapter(path, model);
        if (Directory.Exists(path))
        {
            using var folder = Open(path, model.WithoutAdapters());
            return folder.Fingerprint();
        }

        return new Digest(CheckpointOf(path, model).Fingerprint);
    }

    /// <summary>
    /// Looks whether the weights are there and of this model, without reading them: a corpus may be built for hours before they are. Of a
    /// model whose vocabulary only its corpus says, it looks whether they are there.
    /// </summary>
    /// <param name="known">Of the run of that name: its weights have been read. Null where there is none.</param>
    /// <param name="models">Those of this machine.</param>
    /// <exception cref="NotFoundException">There are none.</exception>
    /// <exception cref="ElasticException">They are of another model.</exception>
    public static void Check(ModelSettings model, ModelSettings? known, StoredModels models)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(models);
        var here = models.Here(model);
        if (here.Init is not { } path || (known is not null && known.InitDigest == model.InitDigest && known.Init == model.Init))
            return;
        if (!Directory.Exists(path))
            CheckpointOf(path, model);
        else if (!AdapterFolder.IsAt(path) && model.Vocabulary > 0)
            Open(path, model.WithoutAdapters()).Dispose();
    }

    // A vocabulary of 0 is not known yet.
    private static CheckpointManifest CheckpointOf(string path, ModelSettings model)
    {
        const string remedy = "name a Hugging Face folder, or the round-NNNNNN.json of a run's checkpoints folder";
        if (!File.Exists(path))
            throw new NotFoundException($"model.init = {path}: there is no such folder or file: {remedy}");
        CheckpointManifest checkpoint;
        try
        {
            checkpoint = CheckpointManifest.Read(path);
        }
        catch (ElasticException e)
        {
            throw new ElasticException($"model.init = {path} cannot be used: {e.Message.TrimEnd('.')}; {remedy}", e);
        }

        return model.Vocabulary == 0 || checkpoint.Model == model.Signature || checkpoint.Model == model.WithoutAdapters().Signature
            ? checkpoint
            : throw new ElasticException(
                $"model.init = {path} is a checkpoint of another model: it has {checkpoint.Model}, and the settings ask for " +
                $"{model.Signature}; set the model.* keys to the checkpoint's, or take another checkpoint");
    }

    private static ModelFolder Open(string path, ModelSettings model, string key = "model.init")
    {
        var folder = ModelFolder.Open(path);
        if (folder.Model.Signature == model.Signature)
            return folder;
        folder.Dispose();
        throw new ElasticException($"{key} = {path} holds another model: it has {folder.Model.Signature}, "
            + $"and the settings ask for {model.Signature}; set the model.* keys to the folder's, or take another folder");
    }
}
