using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class CheckpointReaderTests : TemporaryFolder
{
    private const int MutationSeed = 20_261_126, Mutations = 3_000;

    private static readonly byte[] Signs = [.. "0123456789abc\"{}[],:-eE.nul\\/\n"u8];

    private static readonly TrainingSettings Settings = TinySettings.Of("a");

    private string Name => Path.Combine(Folder, "checkpoints", "round-000001.json");

    [Fact]
    public void A_checkpoint_of_another_model_is_refused_before_its_blobs_are_looked_for()
    {
        var manifest = Write();
        var refusal = Assert.Throws<ElasticException>(
            () => CheckpointReader.LoadParameters(Name, manifest, Settings.Model with { Layers = 9_999, Width = 1 << 20 }));
        Assert.StartsWith($"{Name} is a checkpoint of another model: it has gpt2 1x16 ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_of_a_huge_model_without_its_parameters_is_refused_before_anything_is_allocated()
    {
        var model = Settings.Model with { Layers = 9_999, Heads = 16, Width = 2048 };           // 2 TB
        var manifest = Write() with { Model = model.Signature, Settings = SettingsText.Write(Settings with { Model = model }) };
        File.WriteAllBytes(Name, manifest.ToBytes());
        Assert.Contains("it is of another model", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_checkpoint_of_a_round_is_found_and_of_another_one_the_rounds_that_there_are_are_named()
    {
        var manifest = Write();
        using (var loaded = CheckpointReader.Load(Folder, 1))
            Assert.Equal(manifest.Fingerprint, loaded.Manifest.Fingerprint);
        Assert.Equal(
            $"{Folder} has no checkpoint of round 2: it has that of 1",
            Assert.Throws<ElasticException>(() => CheckpointReader.Load(Folder, 2)).Message);
        File.WriteAllText(Path.Combine(Folder, "checkpoints", "round-000002.json"), "{");
        Assert.Contains(
            $"no checkpoint of {Folder} of round 2 is whole (",
            Assert.Throws<ElasticException>(() => CheckpointReader.Load(Folder, 2)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_that_lost_its_blobs_names_one()
    {
        var manifest = Write();
        Directory.Delete(Path.Combine(Folder, "blobs"), true);
        Assert.Contains($"blob {manifest.Parameters[..12]}: is missing", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_blob_that_is_no_vector_set_is_said()
    {
        var manifest = Write();
        var other = new BlobStore(Path.Combine(Folder, "blobs")).Put("hello"u8);
        File.WriteAllBytes(Name, (manifest with { Parameters = other.Hex }).ToBytes());
        Assert.Contains("names parameters that are none (these bytes are no vector set)", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Mutated_manifests_load_or_are_refused_in_one_sentence()
    {
        var whole = Write().ToBytes();
        var refused = 0;
        for (var mutation = 0; mutation < Mutations; mutation++)
        {
            File.WriteAllBytes(Name, Mutate(whole, new Random(MutationSeed + mutation)));
            try
            {
                CheckpointReader.LoadNewest(Folder).Dispose();
            }
            catch (ElasticException e)
            {
                refused++;
                Assert.Contains(Name, e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain("\n", e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {mutation}: {e}");
            }
        }
        Assert.InRange(refused, Mutations / 2, Mutations - 1);
    }

    [Fact]
    public void A_folder_without_one_is_refused_with_where_another_node_has_it() => Assert.Equal(
        $"{Folder} has no checkpoint: train until the first one, or set checkpoint.every-rounds lower; in a cluster another node may have "
        + "it: pbm run fetch brings it here", Refused());

    // Signs that mean something in JSON, repeated and lost pieces, digits and bits.
    private static byte[] Mutate(byte[] whole, Random random)
    {
        var bytes = whole.ToList();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var place = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[place] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[place] = Signs[random.Next(Signs.Length)]; break;
                case 2: bytes.Insert(place, (byte)('0' + random.Next(10))); break;
                case 3: bytes.RemoveRange(place, Math.Min(random.Next(1, 100), bytes.Count - place)); break;
                default: bytes.InsertRange(place, bytes.GetRange(place, Math.Min(random.Next(1, 100), bytes.Count - place))); break;
            }
        }
        return [.. bytes];
    }

    [Fact]
    public void A_checkpoint_that_keeps_frozen_weights_among_the_trained_ones_is_refused_with_the_way_out()
    {
        var model = Settings.Model with { Lora = Settings.Model.Lora with { Rank = 2 } };
        var manifest = Write() with { Model = model.Signature, Settings = SettingsText.Write(Settings with { Model = model }) };
        File.WriteAllBytes(Name, manifest.ToBytes());
        Assert.Contains("was written by an earlier version of Elastic, which kept frozen weights among the trained ones: export its model "
            + "with that version, and start from the folder", Refused(), StringComparison.Ordinal);
    }

    private string Refused() => Assert.Throws<ElasticException>(() => CheckpointReader.LoadNewest(Folder)).Message;

    // A whole checkpoint of a small model.
    private CheckpointManifest Write()
    {
        var blobs = new BlobStore(Path.Combine(Folder, "blobs"));
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(Settings.Model));
        Initialization.Fill(vectors, Settings.Run.Seed);
        var parameters = blobs.PutVector(vectors, VectorSet.Parameters);
        var set = blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters }));
        var some = Digest.Of("some"u8).Hex;
        var manifest = new CheckpointManifest(1, "a", 1, Settings.Model.Signature, SettingsText.Write(Settings), some, "byte",
            parameters.Fingerprint.Hex, set.Hex, [some], 1, some, CheckpointManifest.BlobFolder);
        Directory.CreateDirectory(Path.GetDirectoryName(Name)!);
        File.WriteAllBytes(Name, manifest.ToBytes());
        return manifest;
    }
}
