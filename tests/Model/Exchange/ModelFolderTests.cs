using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Cpu;
using Elastic.Model.Exchange;
using Elastic.Model.Networks;
using Elastic.Model.Tests.Reference;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

public sealed class ModelFolderTests : TemporaryFolder
{
    // Relative to the largest logit; the reference is float64 on the same rounded weights.
    private const double Tolerance = 1e-5;

    private string Place => Path.Combine(Folder, "model");

    private string Config => Path.Combine(Place, "config.json");

    private string Index => Path.Combine(Place, "model.safetensors.index.json");

    [Theory]
    [MemberData(nameof(ReferenceFolders.Cases), MemberType = typeof(ReferenceFolders))]
    public void The_logits_of_a_folder_that_others_wrote_agree_with_theirs(string name)
    {
        using var folder = ModelFolder.Open(ReferenceFolders.Write(name, Place));
        Assert.Equal("gpt2 2x8 heads 2 context 8 vocabulary 33", folder.Model.Signature);
        using var vectors = folder.Load();
        using var device = new CpuDevice(new("cpu:0"), Architectures.Open(folder.Model), 0, threads: 1);
        device.Attach(vectors);
        var (expected, rows) = (ReferenceFolders.Logits(name), ReferenceFolders.Tokens);
        var (T, V) = (rows[0].Length, folder.Model.Vocabulary);
        for (var row = 0; row < rows.Length; row++)
            for (var length = 1; length <= T; length++)
            {
                var error = ReferenceNumbers.RelativeError(
                    device.Logits(rows[row].AsSpan(0, length)), expected.AsSpan((row * T + length - 1) * V, V));
                Assert.True(error < Tolerance, $"row {row} position {length - 1}: {error:E2}");
            }
    }

    [Theory]
    [MemberData(nameof(ReferenceFolders.Cases), MemberType = typeof(ReferenceFolders))]
    public void Weights_are_the_files_bits_as_fp32_and_everything_between_them_is_zero(string name)
    {
        using var folder = ModelFolder.Open(ReferenceFolders.Write(name, Place));
        using var vectors = folder.Load();
        var all = vectors.Floats(VectorSet.Parameters, 0, (int)vectors.Layout.Length).ToArray();
        var embedding = vectors.Layout["transformer.wte.weight"];
        Assert.Equal(ReferenceFolders.Embedding(name), all.AsSpan((int)embedding.Offset, (int)embedding.Count).ToArray());
        foreach (var segment in vectors.Layout.Segments)
        {
            Assert.Contains(all.AsSpan((int)segment.Offset, (int)segment.Count).ToArray(), v => v != 0);
            Array.Clear(all, (int)segment.Offset, (int)segment.Count);
        }

        Assert.All(all, v => Assert.Equal(0f, v));
    }

    [Fact]
    public void The_fingerprint_is_that_of_the_weights_whatever_the_files_are_cut_into()
    {
        Digest Of(string name)
        {
            using var folder = ModelFolder.Open(ReferenceFolders.Write(name, Path.Combine(Folder, name)));
            using var vectors = folder.Load();
            Assert.Equal(Digest.Of(vectors.Bytes(VectorSet.Parameters, 0, (int)vectors.Layout.Length)),
                Digest.Of(BytesByFingerprint(folder, vectors)));
            return folder.Fingerprint();
        }

        Assert.Equal(Of("fp32"), Of("sharded"));
        Assert.NotEqual(Of("fp32"), Of("bf16"));
    }

    [Theory]
    [InlineData("activation_function", "\"relu\"", "the arithmetic here knows \"gelu_new\" or \"gelu_pytorch_tanh\" only")]
    [InlineData("layer_norm_epsilon", "1e-6", "the arithmetic here knows 1E-05 only")]
    [InlineData("scale_attn_by_inverse_layer_idx", "true", "the arithmetic here knows false only")]
    [InlineData("scale_attn_weights", "false", "the arithmetic here knows true only")]
    [InlineData("tie_word_embeddings", "false", "the arithmetic here knows true only")]
    [InlineData("n_inner", "64", "the arithmetic here knows null or 32 only")]
    [InlineData("n_layer", "\"2\"", "expected a whole number")]
    [InlineData("n_layer", "3000000000", "expected a whole number")]
    [InlineData("n_layer", "0", "model.layers = 0")]
    [InlineData("n_head", "3", "model.width = 8 does not divide by model.heads = 3")]
    [InlineData("model_type", "\"mamba\"", "is not known here: known are \"gpt2\"")]
    [InlineData("model_type", "7", "model_type = null")]
    public void A_config_that_cannot_be_computed_here_is_refused_by_the_key(string key, string value, string why)
    {
        ReferenceFolders.Write("fp32", Place);
        ReferenceFolders.Edit(Config, (key, JsonNode.Parse(value)));
        var refusal = Refused();
        Assert.Contains(why, refusal, StringComparison.Ordinal);
        Assert.Contains(Config, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void All_wrong_keys_are_told_at_once()
    {
        ReferenceFolders.Write("fp32", Place);
        ReferenceFolders.Edit(Config, ("activation_function", "silu"), ("add_cross_attention", true), ("n_embd", "wide"));
        Assert.Equal(3, Refused().Split('\n').Length);
    }

    [Fact]
    public void Keys_that_a_config_lacks_have_the_values_that_Transformers_gives_them()
    {
        Directory.CreateDirectory(Place);
        File.WriteAllText(Config, """{"model_type":"gpt2"}""");
        Assert.Contains("has no model.safetensors and no model.safetensors.index.json", Refused(), StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(Place, "model.safetensors"), [2, 0, 0, 0, 0, 0, 0, 0, .. "{}"u8]);
        Assert.Contains("weights of gpt2 12x768 heads 12 context 1024 vocabulary 50257", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_missing_and_unknown_tensors_are_all_listed()
    {
        ReferenceFolders.Write("fp32", Place);
        ReferenceFolders.Edit(Config, ("n_positions", 4), ("n_layer", 1));
        var lines = Refused().Split('\n');
        Assert.StartsWith(
            $"{Place} does not hold the weights of gpt2 1x8 heads 2 context 4 vocabulary 33", lines[0], StringComparison.Ordinal);
        Assert.Contains("(13 problems)", lines[0], StringComparison.Ordinal);
        Assert.Contains("transformer.wpe.weight has the shape [8, 8], and the model's is [4, 8]", lines);
        Assert.Equal(12, lines.Count(l => l.StartsWith("transformer.h.1.", StringComparison.Ordinal)
            && l.EndsWith("is no parameter of this model", StringComparison.Ordinal)));

        ReferenceFolders.Edit(Config, ("n_positions", 8), ("n_layer", 3));
        lines = Refused().Split('\n');
        Assert.Equal(13, lines.Length);
        Assert.Contains("transformer.h.2.mlp.c_proj.weight is missing: [32, 8]", lines);
    }

    [Fact]
    public void A_tied_tensor_that_differs_is_refused_and_so_is_a_weight_that_is_no_number()
    {
        ReferenceFolders.Write("fp16", Place);
        var file = Path.Combine(Place, "model.safetensors");
        var whole = File.ReadAllBytes(file);
        long head, data;
        using (var opened = SafetensorsFile.Open(file))
            (head, data) = (opened.Tensors.Single(t => t.Name == "lm_head.weight").Begin, whole.Length - opened.Tensors[^1].End);
        var changed = (byte[])whole.Clone();
        changed[data + head] ^= 1;
        File.WriteAllBytes(file, changed);
        using (var folder = ModelFolder.Open(Place))
        {
            Assert.Contains("lm_head.weight in " + file + " differs from transformer.wte.weight",
                Assert.Throws<ElasticException>(folder.Load).Message, StringComparison.Ordinal);
            Assert.Throws<ElasticException>(() => folder.Fingerprint());
        }

        whole.CopyTo(changed, 0);
        changed.AsSpan((int)(data + 2 * 40), 2).Fill(0xFF);             // a NaN in place of element 40 of the first tensor
        changed.AsSpan((int)(data + head + 2 * 40), 2).Fill(0xFF);
        File.WriteAllBytes(file, changed);
        using (var folder = ModelFolder.Open(Place))
            Assert.Contains("element 40 of transformer.wte.weight in " + file + " is NaN",
                Assert.Throws<ElasticException>(folder.Load).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../model-00001-of-00003.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData(@"a\b")]
    public void An_index_that_names_a_file_elsewhere_is_refused(string file)
    {
        ReferenceFolders.Write("sharded", Place);
        ReferenceFolders.Edit(Index, ("weight_map", new JsonObject { ["wte.weight"] = file }));
        Assert.Contains("only plain names of files in the same folder are read", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_that_does_not_fit_its_files_is_refused()
    {
        ReferenceFolders.Write("sharded", Place);
        var map = JsonNode.Parse(File.ReadAllText(Index))!["weight_map"]!.AsObject();
        map["nobody"] = "model-00001-of-00003.safetensors";
        ReferenceFolders.Edit(Index, ("weight_map", map.DeepClone()));
        Assert.Contains("names tensors that their files do not have: nobody", Refused(), StringComparison.Ordinal);
        map.Remove("nobody");
        map.Remove("wte.weight");
        ReferenceFolders.Edit(Index, ("weight_map", map.DeepClone()));
        Assert.Contains("has the tensor wte.weight, and model.safetensors.index.json does not say so", Refused(), StringComparison.Ordinal);
        File.Delete(Path.Combine(Place, "model-00002-of-00003.safetensors"));
        Assert.Contains("model-00002-of-00003.safetensors", Refused(), StringComparison.Ordinal);
        foreach (var text in (string[])["[]", "{", """{"weight_map":{}}""", """{"weight_map":{"a":1}}"""])
        {
            File.WriteAllText(Index, text);
            Assert.StartsWith(Index, Refused(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_folder_without_a_config_is_no_model()
    {
        Assert.Contains("is no folder of a model: it has no config.json", Refused(), StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(Place, "checkpoints"));
        Assert.StartsWith(
            $"{Place} is the folder of a run: elastic export --model {Place} --out DIR makes one of its model", Refused(),
            StringComparison.Ordinal);
        File.WriteAllText(Config, "[");
        Assert.Contains("is no JSON", Refused(), StringComparison.Ordinal);
    }

    private string Refused() => Assert.Throws<ElasticException>(() => ModelFolder.Open(Place).Dispose()).Message;

    // The fingerprint of a vector shorter than a chunk is the digest of its digest, so equal bytes are what it proves.
    private static byte[] BytesByFingerprint(ModelFolder folder, ReplicaVectors vectors)
    {
        var bytes = vectors.Bytes(VectorSet.Parameters, 0, (int)vectors.Layout.Length).ToArray();
        Assert.Equal(new VectorManifest(vectors.Layout.Length, [Digest.Of(bytes)]).Fingerprint, folder.Fingerprint());
        return bytes;
    }
}
