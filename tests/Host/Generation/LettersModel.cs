using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Generation;

/// <summary>A run "letters" whose one checkpoint writes the letters from a to h at random.</summary>
internal static class LettersModel
{
    public const string Name = "letters";

    /// <summary>Writes the checkpoint of round 3 into a data directory.</summary>
    /// <param name="endings">True where the model also ends texts, as often as it writes an a.</param>
    public static void Write(string dataDirectory, int context = 64, bool endings = false)
    {
        var settings = TinySettings.Of(Name);
        settings = settings with { Model = settings.Model with { Layers = 2, Context = context } };
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(settings.Model));
        Initialization.Fill(vectors, 7);
        // Channel 0 of the last norm is a constant, to which only these tokens' logits answer.
        Set("transformer.ln_f.weight", 0, 0);
        Set("transformer.ln_f.bias", 0, 20);
        for (var token = 0; token < settings.Model.Vocabulary; token++)
        {
            var isWritten = token is >= 'a' and <= 'h' || (endings && token == 256);
            Set("transformer.wte.weight", token * settings.Model.Width, isWritten ? 1 : 0);
        }
        var folder = Path.Combine(dataDirectory, "runs", $"{Name}-00000000");
        var blobs = new BlobStore(Path.Combine(folder, "blobs"));
        var parameters = blobs.PutVector(vectors, VectorSet.Parameters);
        var set = blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters }));
        var some = Digest.Of("some"u8).Hex;
        var checkpoints = Directory.CreateDirectory(Path.Combine(folder, "checkpoints")).FullName;
        File.WriteAllBytes(Path.Combine(checkpoints, "round-000003.json"), new CheckpointManifest(
            1, Name, 3, settings.Model.Signature, SettingsText.Write(settings), some, "byte", parameters.Fingerprint.Hex, set.Hex, [some],
            1, some, CheckpointManifest.BlobFolder).ToBytes());

        void Set(string parameter, long at, float value) =>
            vectors.Floats(VectorSet.Parameters, vectors.Layout[parameter].Offset + at, 1)[0] = value;
    }

    /// <summary>The same in memory.</summary>
    public static TextModel Open(int context = 64, bool endings = false)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        try
        {
            Write(folder, context, endings);
            return TextModel.OfRun(new DataDirectory(folder), new RunName(Name), Assert.Fail);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
