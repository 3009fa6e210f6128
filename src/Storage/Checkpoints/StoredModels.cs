using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Exchange;
using Elastic.ObjectStore;

namespace Elastic.Storage;

/// <summary>
/// Copies of the folders in S3-compatible stores that <c>model.init</c> and <c>model.init-base</c> name. Settings keep the address, so that
/// each node that needs the weights fetches them; <c>model.init-digest</c> says whether they are the run's.
/// </summary>
/// <param name="folder">Holds a folder for each address.</param>
/// <param name="pause">Between attempts; null for the usual pauses.</param>
public sealed class StoredModels(string folder, Backoff? pause = null)
{
    // Of a model's folder: the largest are published in some hundreds of files.
    private const int MostFiles = 10_000;

    // A start asks for the folder, and so does the node's work, perhaps at the same time.
    private static readonly SemaphoreSlim OneAtATime = new(1, 1);

    /// <summary>Where a place that <c>model.init</c> names is on this machine: the copy's folder, or the place itself.</summary>
    public string PlaceOf(string place) => S3Address.Is(place) ? ObjectFolder.FilesOf(RootOf(place)) : place;

    /// <summary>The settings with places on this machine. Nothing is fetched.</summary>
    public ModelSettings Here(ModelSettings model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model with
        {
            Init = model.Init is { } init ? PlaceOf(init) : null,
            InitBase = model.InitBase is { } network ? PlaceOf(network) : null,
        };
    }

    /// <summary>Fetches what the settings name in stores, and is not here.</summary>
    /// <returns>The settings with places on this machine.</returns>
    /// <exception cref="ElasticException">The store does not give it, or holds no model there.</exception>
    public async Task<ModelSettings> BringAsync(ModelSettings model, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(model);
        await BringAsync([model.Init, model.InitBase], cancel);
        return Here(model);
    }

    /// <param name="places">Where the models are; places that are no addresses of stores are passed over.</param>
    /// <inheritdoc cref="BringAsync(ModelSettings, CancellationToken)"/>
    public async Task BringAsync(IEnumerable<string?> places, CancellationToken cancel)
    {
        foreach (var place in places.OfType<string>().Where(S3Address.Is))
        {
            await OneAtATime.WaitAsync(cancel);
            try
            {
                await FetchAsync(S3Address.PrefixOf(place, "a model's folder"), new ObjectFolder(RootOf(place)), cancel);
            }
            finally
            {
                OneAtATime.Release();
            }
        }
    }

    private string RootOf(string address) => Path.Combine(folder, Digest.Of(Encoding.UTF8.GetBytes(address)).Hex[..16]);

    private async Task FetchAsync(S3Address address, ObjectFolder copy, CancellationToken cancel)
    {
        using var bucket = pause is { } given ? new S3Bucket(address) { Pause = given } : new S3Bucket(address);
        var found = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        await foreach (var file in bucket.ListAsync(address.Folder, cancel))
        {
            var name = file.Key[address.Folder.Length..];
            if (!IsName(name))
                continue;
            found.Add(name, file);
            if (found.Count > MostFiles)
                throw new ElasticException($"{address} holds more than {MostFiles} files, which is no model: name the prefix of one");
        }

        if (!found.ContainsKey(ModelFolder.ConfigName) && !found.ContainsKey(AdapterFolder.ConfigName))
            throw new ElasticException($"{address} holds no model, or one that was not stored to its end: there is neither "
                + $"{address.Named(address.Folder + ModelFolder.ConfigName)} nor {AdapterFolder.ConfigName} beside it; name the prefix "
                + "of a Hugging Face folder, as elastic export --out s3://BUCKET/PREFIX stores it");
        copy.Retain(found);
        await Parallel.ForEachAsync(
            found, new ParallelOptions { MaxDegreeOfParallelism = S3Bucket.AtOnce, CancellationToken = cancel }, async (file, stop) =>
            {
                if (await copy.HasAsync(file.Key, file.Value, null, stop))
                    return;
                var part = copy.PartOf(file.Value);
                await bucket.FetchAsync(file.Value, null, part, stop);
                copy.Keep(file.Key, file.Value, await ObjectFolder.HashAsync(part, stop), part);
            });
    }

    // What lies in folders below it, and what is hidden, belongs to no model; and no name leads out of the copy's folder.
    private static bool IsName(string name) =>
        name.Length is > 0 and <= 200 && name[0] != '.' && !name.Any(c => char.IsControl(c) || c is '/' or '\\' or ':');
}
