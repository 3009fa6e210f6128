using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

public sealed class ModelFolderWriterTests : TemporaryFolder
{
    private static readonly Dictionary<string, byte[]> NoOthers = [];

    private string Place => Path.Combine(Folder, "out");

    [Fact]
    public void What_was_exported_as_fp32_comes_back_byte_for_byte_from_one_file_and_from_shards()
    {
        var model = Samples.Tiny(dropout: 0.1);
        using var vectors = Samples.Initialized(model);
        var expected = Digest.Of(vectors.Bytes(VectorSet.Parameters, 0, (int)vectors.Layout.Length));
        foreach (var (shardBytes, files) in ((long, int)[])[(SafetensorsWriter.ShardBytes, 1), (40_000, 4)])
        {
            var place = Path.Combine(Folder, $"{files}");
            ModelFolderWriter.Write(place, vectors, model, ElementType.Float32, 96, NoOthers, shardBytes);
            Assert.InRange(Directory.GetFiles(place, "*.safetensors").Length, files, files == 1 ? 1 : 9);
            using var folder = ModelFolder.Open(place);
            Assert.Equal(model.Signature, folder.Model.Signature);
            using var back = folder.Load();
            Assert.Equal(expected, Digest.Of(back.Bytes(VectorSet.Parameters, 0, (int)back.Layout.Length)));
        }
    }

    [Theory]
    [InlineData(ElementType.BFloat16, "bfloat16", 1.0 / 256)]
    [InlineData(ElementType.Float16, "float16", 1.0 / 2048)]
    public void Sixteen_bits_keep_each_weight_to_half_a_unit_of_their_last_place(ElementType type, string word, double relative)
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, type, 96, NoOthers);
        Assert.Equal(word, (string?)JsonNode.Parse(File.ReadAllText(Path.Combine(Place, "config.json")))!["torch_dtype"]);
        using var folder = ModelFolder.Open(Place);
        using var back = folder.Load();
        for (var i = 0; i < vectors.Layout.Length; i++)
        {
            var (before, after) = (vectors.Floats(VectorSet.Parameters, i, 1)[0], back.Floats(VectorSet.Parameters, i, 1)[0]);
            // fp16 has numbers below 2^-14 in steps of 2^-24.
            Assert.InRange(Math.Abs(after - before), 0, Math.Max(Math.Abs(before) * relative, Math.Pow(2, -25)));
        }
    }

    [Fact]
    public void The_config_is_the_one_that_Transformers_opens()
    {
        var model = Samples.Tiny(dropout: 0.25);
        using var vectors = Samples.Initialized(model);
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, new Dictionary<string, byte[]> { ["vocab.json"] = [1, 2] });
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Place, "config.json")))!.AsObject();
        Assert.Equal("GPT2LMHeadModel", (string?)config["architectures"]![0]);
        Assert.Equal(
            ("gpt2", 2, 4, 32, 16, 97, 96, 0.25, true),
            ((string?)config["model_type"], (int)config["n_layer"]!, (int)config["n_head"]!, (int)config["n_embd"]!,
                (int)config["n_positions"]!, (int)config["vocab_size"]!, (int)config["eos_token_id"]!, (double)config["attn_pdrop"]!,
                (bool)config["tie_word_embeddings"]!));
        Assert.Equal(96, (int)JsonNode.Parse(File.ReadAllText(Path.Combine(Place, "generation_config.json")))!["eos_token_id"]!);
        Assert.Equal([1, 2], File.ReadAllBytes(Path.Combine(Place, "vocab.json")));
        using var file = SafetensorsFile.Open(Path.Combine(Place, "model.safetensors"));
        // Without the tied head, and without the rows that fill the vocabulary up.
        Assert.DoesNotContain(file.Tensors, t => t.Name == "lm_head.weight");
        Assert.Equal([97, 32], file.Tensors.Single(t => t.Name == "transformer.wte.weight").Shape);
        Assert.Equal(Architectures.Open(model).Parameters.Count - 1, file.Tensors.Count);
    }

    [Fact]
    public void An_export_that_fails_leaves_nothing_and_one_to_a_place_that_is_taken_changes_nothing()
    {
        var model = Samples.Tiny();
        using var vectors = Samples.Initialized(model);
        vectors.CopyFrom(VectorSet.Parameters, vectors.Layout["transformer.ln_f.bias"].Offset + 3, [1e6f]);
        var refusal = Assert.Throws<ElasticException>(
            () => ModelFolderWriter.Write(Place, vectors, model, ElementType.Float16, 96, NoOthers));
        Assert.StartsWith("element 3 of transformer.ln_f.bias is 1000000, which is more than fp16 holds", refusal.Message,
            StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));

        Directory.CreateDirectory(Place);                               // an empty folder may be there
        NewFolder.CheckFree(Place, "--out");
        ModelFolderWriter.Write(Place, vectors, model, ElementType.Float32, 96, NoOthers);
        Assert.Equal([Place], Directory.GetFileSystemEntries(Folder));
        Assert.Contains("is there already, and nothing is overwritten",
            Assert.Throws<ElasticException>(() => NewFolder.CheckFree(Place, "--out")).Message, StringComparison.Ordinal);
        Assert.Throws<ElasticException>(() => ModelFolderWriter.Write(Place, vectors, model, ElementType.BFloat16, 96, NoOthers));
        Assert.Equal([Place], Directory.GetFileSystemEntries(Folder));
    }
}
