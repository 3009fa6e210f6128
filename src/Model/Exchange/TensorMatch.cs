using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Exchange;

/// <summary>Which tensor of a folder's files is which parameter: each parameter has one, and each tensor is one.</summary>
internal sealed class TensorMatch
{
    private const int Piece = 1 << 16;

    // Not the run's: a folder is the same weights wherever it is read.
    private const ulong HeadSeed = 0;

    // More than a person reads; a hostile file has 200,000.
    private const int MostListed = 1000;

    private readonly Dictionary<string, (SafetensorsFile File, TensorEntry Tensor)> _of = new(StringComparer.Ordinal);

    // Tensors that are another parameter's elements over again.
    private readonly List<(string Parameter, SafetensorsFile File, TensorEntry Tensor)> _tied = [];

    // Of parameters that no tensor is.
    private readonly Dictionary<string, Lazy<float[]>> _drawn = new(StringComparer.Ordinal);

    private TensorMatch() { }

    /// <summary>Parameters that the files lack, and that are drawn instead, in the order of the architecture's list.</summary>
    public IReadOnlyList<string> Drawn { get; private init; } = [];

    /// <exception cref="ElasticException">Tensors are missing, too many, or of another shape or type: all of them, a line each.</exception>
    public static TensorMatch Of(string folder, IArchitecture architecture, ModelFormat format, ModelTensors tensors)
    {
        var present = tensors.All.Keys.Select(format.ParameterOf).ToHashSet(StringComparer.Ordinal);
        // All or none: a part of a head is a damaged one.
        var head = architecture.Parameters.Where(p => format.MayLack(p.Name)).ToList();
        var match = new TensorMatch
        {
            Drawn = head.Exists(p => present.Contains(p.Name)) ? [] : [.. head.Where(p => p.TiedTo is null).Select(p => p.Name)],
        };
        var parameters = architecture.Parameters.ToDictionary(p => p.Name, StringComparer.Ordinal);
        var problems = new List<string>();
        foreach (var (name, (file, tensor)) in tensors.All)
        {
            if (format.ParameterOf(name) is not { } ours)
                continue;
            if (!parameters.TryGetValue(ours, out var parameter))
                problems.Add($"{Shown(name)} is no parameter of this model");
            else if (!tensor.Shape.SequenceEqual(parameter.Shape))
                problems.Add($"{name} has the shape {Text(tensor.Shape)}, and the model's is {Text(parameter.Shape)}");
            else if (TensorType.Find(tensor.Type) is null)
                problems.Add($"{name} is {tensor.Type}, and only F32, BF16 and F16 are read");
            else if (parameter.TiedTo is { } other)
                match._tied.Add((other, file, tensor));
            else if (!match._of.TryAdd(ours, (file, tensor)))
                problems.Add($"{name} and {match._of[ours].Tensor.Name} are the same parameter");
        }

        problems.AddRange(match.Drawn.Where(name => parameters[name].Count > Array.MaxLength)
            .Select(name => $"{name} is missing, and too large to be drawn: {Text(parameters[name].Shape)}"));
        foreach (var name in match.Drawn)
            match._drawn.Add(name, new Lazy<float[]>(() => Initialization.Of(parameters[name], HeadSeed)));
        // One of a wrong shape is not missing.
        problems.AddRange(architecture.Parameters
            .Where(p => p.TiedTo is null && !present.Contains(p.Name) && !match._drawn.ContainsKey(p.Name))
            .Select(p => $"{p.Name} is missing: {Text(p.Shape)}"));
        return problems.Count == 0 ? match : throw new ElasticException(string.Join('\n',
        [
            $"{folder} does not hold the weights of {architecture.Signature}, as its {ModelConfig.FileName} has it: get the files again, "
                + $"or mend it ({problems.Count} {(problems.Count == 1 ? "problem" : "problems")})",
            .. problems.Order(StringComparer.Ordinal).Take(MostListed),
            .. problems.Count > MostListed ? (string[])[$"and {problems.Count - MostListed} more"] : [],
        ]));
    }

    /// <summary>Reads elements of a parameter.</summary>
    /// <exception cref="ElasticException">One is no finite number: runs of this arithmetic have none.</exception>
    public void Read(string parameter, long first, Span<float> into)
    {
        if (_drawn.TryGetValue(parameter, out var drawn))
        {
            drawn.Value.AsSpan((int)first, into.Length).CopyTo(into);
            return;
        }
        var (file, tensor) = _of[parameter];
        file.Read(tensor, first, into);
        if (NarrowFloats.FirstNotFinite(ElementType.Float32, into) is var bad and >= 0)
            throw new ElasticException($"element {first + bad} of {tensor.Name} in {file.Path} is {into[bad]}, no finite number: "
                + "get the file again, or take another model");
    }

    /// <summary>Compares tied tensors, where files have them, with the parameters whose elements they are.</summary>
    /// <exception cref="ElasticException">One differs: the model has two parameters where the architecture here has one.</exception>
    public void CheckTies()
    {
        var (mine, its) = (new float[Piece], new float[Piece]);
        foreach (var (parameter, file, tensor) in _tied)
        {
            for (long first = 0; first < tensor.Count; first += Piece)
            {
                var count = (int)Math.Min(Piece, tensor.Count - first);
                Read(parameter, first, mine.AsSpan(0, count));
                file.Read(tensor, first, its.AsSpan(0, count));
                if (!mine.AsSpan(0, count).SequenceEqual(its.AsSpan(0, count)))
                    throw new ElasticException($"{tensor.Name} in {file.Path} differs from {_of[parameter].Tensor.Name}, "
                        + "and the architecture here has one parameter for both: take a model that ties them");
            }
        }
    }

    private static string Text(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";

    private static string Shown(string name) => OneLine.Of(name, 120);
}
