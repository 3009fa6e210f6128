using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>A data directory with a run that has a checkpoint, as training would have left it.</summary>
internal static class ExchangedModel
{
    public const string Run = "tiny";

    public static readonly TrainingSettings Settings = TinySettings.Of(Run);

    /// <summary>Writes it below <paramref name="folder"/>.</summary>
    /// <param name="fill">Sets the parameters, which are zero; null for those that a run begins with.</param>
    /// <param name="chat">How the conversations were written down on which the run was trained.</param>
    /// <returns>The data directory, and the fingerprint of the parameters.</returns>
    public static (string Data, string Fingerprint) Write(
        string folder, ModelSettings? model = null, Action<ReplicaVectors>? fill = null, ulong seed = 7,
        ChatTemplate chat = ChatTemplate.None)
    {
        var settings = Settings with { Model = model ?? Settings.Model, Corpus = Settings.Corpus with { ChatTemplate = chat } };
        var data = Path.Combine(folder, "data");
        var run = Path.Combine(data, "runs", $"{Run}-3k9v2mq7");
        var blobs = new BlobStore(Path.Combine(run, "blobs"));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        (fill ?? (v => Initialization.Fill(v, seed)))(vectors);
        var parameters = blobs.PutVector(vectors, VectorSet.Parameters);
        var set = blobs.PutSet(new VectorSet(
            new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters },
            blobs.PutFrozen(vectors.Layout, (first, into) => vectors.CopyTo(VectorSet.Parameters, first, into.Span))));
        var fingerprint = vectors.FingerprintOf().Hex;
        var some = Digest.Of("some"u8).Hex;
        Directory.CreateDirectory(Path.Combine(run, "checkpoints"));
        File.WriteAllBytes(Path.Combine(run, "checkpoints", "round-000004.json"), new CheckpointManifest(
            1, $"{Run}-3k9v2mq7", 4, settings.Model.Signature, SettingsText.Write(settings), some, "byte", fingerprint,
            set.Hex, [some], 1, some, CheckpointManifest.BlobFolder).ToBytes());
        return (data, fingerprint);
    }
}
