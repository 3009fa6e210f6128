using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Exchange;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>A model in memory with its tokenizer, of a run or of a folder.</summary>
/// <param name="Name">What people call it: the run's name, or the folder's path.</param>
internal sealed record TextModel(string Name, ModelSettings Settings, ReplicaVectors Vectors, Tokenizer Tokenizer) : IDisposable
{
    /// <summary>The newest checkpoint of a run. Reports damaged checkpoints, which it skips, to <paramref name="notice"/>.</summary>
    public static TextModel OfRun(DataDirectory data, RunName run, Action<string> notice)
    {
        var folder = data.ExistingRun(run).Root;
        var checkpoint = CheckpointReader.LoadNewest(folder);
        foreach (var passed in checkpoint.Passed)
            notice($"passed over {passed}");
        var tokenizer = Tokenizer.OpenStored(checkpoint.Manifest.Tokenizer, folder);
        if (tokenizer.VocabularySize <= checkpoint.Settings.Model.Vocabulary)
            return new TextModel($"{run}", checkpoint.Settings.Model, checkpoint.Vectors, tokenizer);
        checkpoint.Dispose();
        throw new ElasticException(
            $"the tokenizer in {folder} has {tokenizer.VocabularySize} tokens, and the model {checkpoint.Settings.Model.Vocabulary}: "
            + "copy the right one there from another node of the run");
    }

    /// <summary>The model of a Hugging Face folder.</summary>
    /// <param name="tokenizer">The tokenizer's name; null for the folder's own.</param>
    /// <exception cref="ElasticException">The folder holds no model, or no tokenizer that is known here.</exception>
    public static TextModel OfFolder(string path, string? tokenizer)
    {
        using var folder = ModelFolder.Open(path);
        var chosen = (tokenizer is null ? TokenizerFiles.Recognize(path) : Tokenizer.Find(tokenizer)) ?? throw new ElasticException(
            $"{path} has no tokenizer: say which one its model was trained with, "
            + $"--tokenizer {string.Join(" or ", Tokenizer.All.Select(t => t.Id))}, or a tokenizer's folder");
        return chosen.VocabularySize <= folder.Model.Vocabulary
            ? new TextModel(path, folder.Model, folder.Load(), chosen)
            : throw new ElasticException($"the tokenizer {chosen.Id} has {chosen.VocabularySize} tokens, "
                + $"and the model in {path} {folder.Model.Vocabulary}: they do not belong together");
    }

    public void Dispose() => Vectors.Dispose();
}
