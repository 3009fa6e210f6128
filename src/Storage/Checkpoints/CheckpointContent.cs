using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Vectors;

namespace Elastic.Storage;

/// <summary>A file of a checkpoint.</summary>
/// <param name="Name">Seen from the run's folder, with '/' between folders.</param>
public sealed record CheckpointFile(string Name, string Path, long Bytes);

/// <summary>
/// What makes a checkpoint usable outside of its run, on another machine: the blobs of its parameters, the tokenizer's files where there
/// are any, and last the manifest. The optimizer's state is not among them: nobody but the run itself goes on with it.
/// </summary>
public static class CheckpointContent
{
    /// <summary>What the run's folder may have of its tokenizer: the file that it came from, and its chat template.</summary>
    public static IReadOnlyList<string> FilesOfTokenizer { get; } =
        [TokenizerFile.FileName, ChatFolder.FileName, ChatFolder.TemplateFileName];

    /// <summary>The files, in the order in which they are to be written.</summary>
    /// <exception cref="ElasticException">The manifest is none, or a blob is missing or damaged.</exception>
    public static IReadOnlyList<CheckpointFile> Of(string manifestPath)
    {
        var manifest = CheckpointManifest.Read(manifestPath);
        var run = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(manifestPath)!, ".."));
        var blobs = new BlobStore(Path.Combine(run, "blobs"), readOnly: true);
        try
        {
            var (root, digests) = (new Digest(manifest.Parameters), new List<Digest>());
            var set = blobs.ReadSet(root);
            digests.AddRange([root, .. set[VectorSet.Parameters].Chunks]);
            if (set.Frozen is { } frozen)
                digests.AddRange([frozen, .. blobs.ReadSet(frozen)[VectorSet.FrozenParameters].Chunks]);
            string[] names =
            [
                .. digests.Distinct().Select(d => $"blobs/{d.Hex[..2]}/{d.Hex}"),
                .. FilesOfTokenizer.Where(name => File.Exists(Path.Combine(run, name))),
                $"checkpoints/{Path.GetFileName(manifestPath)}",
            ];
            return [.. names.Select(name => new FileInfo(Path.Combine(run, name)))
                .Zip(names, (file, name) => new CheckpointFile(name, file.FullName, file.Length))];
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new ElasticException($"the checkpoint {manifestPath} is not whole ({e.Message}): take another one", e);
        }
    }
}
