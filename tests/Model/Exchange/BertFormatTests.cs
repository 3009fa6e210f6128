using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

/// <summary>Folders of BERT; those that others trained are in <see cref="Pretrained.MiniLmTests"/>.</summary>
public sealed class BertFormatTests : TemporaryFolder
{
    private static readonly ModelSettings Model =
        Samples.Of("bert", 1, 2, 8, 16, 33) with { Bert = new BertSettings { MaskToken = 4, ClassToken = null } };

    private string Place => Path.Combine(Folder, "model");

    private string Weights => Path.Combine(Place, "model.safetensors");

    [Theory]
    [InlineData("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight")]
    [InlineData("bert.embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight")]
    [InlineData("bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight")]
    [InlineData("encoder.layer.3.output.LayerNorm.beta", "bert.encoder.layer.3.output.LayerNorm.bias")]
    [InlineData("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight")]
    [InlineData("cls.predictions.decoder.bias", "cls.predictions.decoder.bias")]
    [InlineData("cls.seq_relationship.weight", null)]
    [InlineData("pooler.dense.bias", null)]
    [InlineData("bert.pooler.dense.weight", null)]
    [InlineData("embeddings.position_ids", null)]
    [InlineData("gamma", "bert.gamma")]
    public void Every_name_that_others_wrote_is_the_parameter_that_it_means(string tensor, string? parameter) =>
        Assert.Equal(parameter, new BertFormat().ParameterOf(tensor));

    [Fact]
    public void A_head_of_which_only_a_part_is_there_is_damaged_and_not_drawn()
    {
        Write();
        Rename("cls.predictions.transform.dense.weight", "cls.predictions.transform.dense.weighs");
        var lines = Assert.Throws<ElasticException>(() => ModelFolder.Open(Place)).Message.Split('\n');
        Assert.Contains("cls.predictions.transform.dense.weight is missing: [8, 8]", lines);
        Assert.Contains("cls.predictions.transform.dense.weighs is no parameter of this model", lines);
    }

    [Fact]
    public void The_other_name_of_the_heads_bias_has_its_shape()
    {
        Write();
        Rename("cls.predictions.transform.dense.bias", "cls.predictions.decoder.bias");
        Assert.Contains("cls.predictions.decoder.bias has the shape [8], and the model's is [33]",
            Assert.Throws<ElasticException>(() => ModelFolder.Open(Place)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_this_arithmetic_does_not_do_is_refused_by_its_key()
    {
        Write();
        ReferenceFolders.Edit(Path.Combine(Place, "config.json"),
            ("hidden_act", "relu"), ("position_embedding_type", "relative_key"), ("layer_norm_eps", 1e-5), ("type_vocab_size", 4),
            ("is_decoder", true), ("intermediate_size", 48), ("tie_word_embeddings", false));
        var lines = Assert.Throws<ElasticException>(() => ModelFolder.Open(Place)).Message.Split('\n');
        foreach (var key in new[] { "hidden_act", "position_embedding_type", "layer_norm_eps", "type_vocab_size", "is_decoder",
            "intermediate_size", "tie_word_embeddings" })
            Assert.Contains(lines, l => l.StartsWith($"{key} = ", StringComparison.Ordinal));
    }

    private void Write()
    {
        using var vectors = Samples.Initialized(Model);
        ModelFolderWriter.Write(Place, vectors, Model, ElementType.Float32, 3, new Dictionary<string, byte[]>());
    }

    // Another name of a tensor in the file's header.
    private void Rename(string from, string to)
    {
        var whole = File.ReadAllBytes(Weights);
        var length = (int)BitConverter.ToInt64(whole);
        var header = JsonNode.Parse(whole.AsSpan(8, length))!.AsObject();
        var tensor = header[from]!.DeepClone();
        header.Remove(from);
        header[to] = tensor;
        var text = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(Weights, [.. BitConverter.GetBytes((long)text.Length), .. text, .. whole.AsSpan(8 + length)]);
    }
}
