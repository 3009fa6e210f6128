using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>
/// A model as Hugging Face's libraries keep it: a folder with config.json and safetensors. Opening reads descriptions only, and checks that
/// every parameter of the model is there in its shape; weights are read afterwards, chunk by chunk.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    /// <summary>The file that makes a folder one of a model.</summary>
    public const string ConfigName = ModelConfig.FileName;

    private readonly ModelTensors _tensors;
    private readonly FlatLayout _layout;
    private readonly TensorMatch _match;

    private ModelFolder(
        string path, IReadOnlyList<SettingText> settings, ModelSettings model, ModelTensors tensors, FlatLayout layout,
        TensorMatch match) =>
        (Path, Settings, Model, _tensors, _layout, _match) = (path, settings, model, tensors, layout, match);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The model.* keys that config.json decides; each says where it stands there.</summary>
    public IReadOnlyList<SettingText> Settings { get; }

    /// <summary>The model that config.json describes; what it does not decide has its default.</summary>
    public ModelSettings Model { get; }

    /// <summary>
    /// Names of parameters that the files lack and that are drawn, always the same: the head of an encoder that was published without one.
    /// </summary>
    public IReadOnlyList<string> Drawn => _match.Drawn;

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ElasticException">
    /// It holds no model, one that cannot be computed here, or tensors that do not fit its config.json: all of them, a line each.
    /// </exception>
    public static ModelFolder Open(string path)
    {
        var config = ModelConfig.Read(path);
        var format = ModelFormats.All.FirstOrDefault(f => f.ModelType == config.ModelType)
            ?? throw new ElasticException($"model_type = {(config.ModelType is { } type ? $"\"{OneLine.Of(type, 80)}\"" : "null")} "
                + $"({config.Path}) is not known here: known are {string.Join(", ", ModelFormats.All.Select(f => $"\"{f.ModelType}\""))}");
        var (settings, model) = Describe(config, format);
        var architecture = Architectures.Open(model);
        var tensors = ModelTensors.Open(path);
        try
        {
            var match = TensorMatch.Of(path, architecture, format, tensors);
            return new ModelFolder(path, settings, model, tensors, new FlatLayout(architecture.Parameters), match);
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    /// <summary>The SHA-256 of the weights as a run keeps them, see <see cref="VectorManifest.Fingerprint"/>.</summary>
    /// <exception cref="ElasticException">A weight is no finite number, or a file is not readable any more.</exception>
    public Digest Fingerprint()
    {
        _match.CheckTies();
        var digests = new Digest[VectorManifest.ChunkCount(_layout.Length)];
        ForEachChunk(() => new float[Math.Min(_layout.Length, VectorManifest.ChunkElements)], (chunk, buffer) =>
        {
            var (first, count) = Chunk(chunk);
            var elements = buffer.AsSpan(0, count);
            elements.Clear();
            Read(first, elements);
            digests[chunk] = Digest.Of(MemoryMarshal.AsBytes(elements));
        });
        return new VectorManifest(_layout.Length, digests).Fingerprint;
    }

    /// <summary>Reads the weights, as fp32, into the parameters of a new model in this machine's memory.</summary>
    /// <exception cref="ElasticException">Memory is short, a weight is no finite number, or a file is not readable any more.</exception>
    public ReplicaVectors Load()
    {
        var (needed, free) = ((double)_layout.Length * sizeof(float), MachineMemory.Now().FreeBytes);
        if (needed > free)
            throw new ElasticException($"the weights of {Path} take {ByteSize.Text(needed)} of memory as fp32, and {ByteSize.Text(free)} "
                + "are free: free some memory, or take a smaller model");
        _match.CheckTies();
        var vectors = new ReplicaVectors(_layout);
        try
        {
            _ = vectors.Parameters;                                     // its zeros are the padding
            ForEachChunk(() => [], (chunk, _) =>
            {
                var (first, count) = Chunk(chunk);
                Read(first, vectors.Floats(VectorSet.Parameters, first, count));
            });
            return vectors;
        }
        catch
        {
            vectors.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _tensors.Dispose();

    // The setting that names an architecture is decided by the config, too.
    private static (IReadOnlyList<SettingText> Settings, ModelSettings Model) Describe(ModelConfig config, ModelFormat format)
    {
        SettingText[] settings =
        [
            new SettingText("model.architecture", [format.Architecture], IsList: false, $"model_type in {config.Path}"),
            .. format.Read(config),
        ];
        List<string> problems = [.. config.Problems];
        var values = SettingsRecord.Of(typeof(ModelSettings)).Settings.Where(s => s.Default is not null)
            .Select(s => new SettingText(s.Key, s.Kind.Items(s.Default!), s.Kind.IsList, "default"))
            .Concat(settings).GroupBy(s => s.Key).ToDictionary(g => g.Key, g => g.Last());
        var model = SettingsBinding.Bind<ModelSettings>(values, problems);
        if (problems.Count == 0)
            problems.AddRange(model.Problems().Select(p => $"{p} ({config.Path})"));
        return problems.Count == 0 ? (settings, model) : throw new ElasticException(string.Join('\n', problems));
    }

    /// <summary>Looks whether tensors that are one parameter have the same elements.</summary>
    /// <exception cref="ElasticException">They differ, or a file is not readable any more.</exception>
    public void CheckTies() => _match.CheckTies();

    /// <summary>Reads elements of a parameter as fp32.</summary>
    /// <exception cref="ElasticException">A weight is no finite number, or a file is not readable any more.</exception>
    public void Read(string parameter, long first, Span<float> into) => _match.Read(parameter, first, into);

    // The elements of the flat vector from a place on, where a tensor is; what lies between the tensors is left as it is.
    private void Read(long first, Span<float> into)
    {
        foreach (var (segment, from, count) in _layout.PartsOf(first, into.Length))
            _match.Read(segment.Name, from - segment.Offset, into.Slice((int)(from - first), count));
    }

    private (long First, int Count) Chunk(int index) =>
        ((long)index * VectorManifest.ChunkElements, VectorManifest.ElementsOf(_layout.Length, index));

    private void ForEachChunk(Func<float[]> buffer, Action<int, float[]> read)
    {
        try
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
            Parallel.For(0, VectorManifest.ChunkCount(_layout.Length), options, buffer,
                (chunk, _, mine) =>
                {
                    read(chunk, mine);
                    return mine;
                }, _ => { });
        }
        catch (AggregateException e) when (e.InnerException is ElasticException)
        {
            ExceptionDispatchInfo.Throw(e.InnerException);
        }
    }
}
