using Elastic.Kernels;

namespace Elastic.Bench.Kernels;

/// <summary>What a layer's product is for.</summary>
internal enum Pass
{
    /// <summary>y (R, out) = x (R, in) w (in, out) + bias.</summary>
    Forward,

    /// <summary>dx (R, in) = dy (R, out) wᵀ.</summary>
    InputGradient,

    /// <summary>dw (in, out) = dw + xᵀ dy, each micro-batch of 256 rows a part.</summary>
    WeightGradient,
}

/// <summary>
/// One product of a layer, R rows. Weights, their gradients and saved activations are other ones in each repetition, as they are in other
/// layers, so they come from memory; what was just computed stays where it is. The head's weight lies as (out, in).
/// </summary>
/// <param name="parts">Of K in gradients of weights: the micro-batches.</param>
/// <param name="shared">Parts of the axes that devices of a tensor group share: G of the model.</param>
internal sealed unsafe class ProductCase(string name, Pass pass, int rows, int inputs, int outputs, int parts, int shared = 1)
{
    private int _repetition;

    public string Name => $"{name,-10} {pass,-14} {rows,5}";

    public int Rows => rows;

    public bool IsHead => name == "head";

    /// <summary>True where the model cuts the sum into parts that devices may share.</summary>
    public bool IsShared => Depth != DepthParts.One;

    // Row-parallel products sum over what ranks share on their way forwards, column-parallel ones on their way back (Shoeybi et al. 2019).
    private DepthParts Depth => (shared, pass, name) switch
    {
        (1, _, _) or (_, Pass.WeightGradient, _) => DepthParts.One,
        (_, Pass.Forward, "projection" or "down") => DepthParts.Equal(shared),
        (_, Pass.InputGradient, "qkv") => DepthParts.Equal(shared, 3),
        (_, Pass.InputGradient, "up") => DepthParts.Equal(shared),
        (_, Pass.InputGradient, "head") => DepthParts.OfLength((outputs + shared - 1) / shared),
        _ => DepthParts.One,
    };

    public double Operations => 2.0 * rows * inputs * outputs;

    /// <summary>Operations per second of each repetition.</summary>
    public List<double> Rates { get; } = [];

    public long WorkspaceBytes(int threads) => pass switch
    {
        Pass.Forward => Products.WorkspaceBytes(threads, rows, outputs, inputs, Depth),
        Pass.InputGradient => Products.WorkspaceBytes(threads, rows, inputs, outputs, Depth),
        _ => Products.WorkspaceBytes(threads, IsHead ? outputs : inputs, IsHead ? inputs : outputs, rows, DepthParts.Equal(parts)),
    };

    /// <summary>Floats that it touches of the memory that changes and of the memory that stays.</summary>
    public (long Changing, long Staying) Floats => ((long)inputs * outputs + (long)rows * inputs, (long)rows * (inputs + outputs));

    public void Run(ThreadTeam team, NativeBuffer changing, NativeBuffer staying, Clock clock)
    {
        var (each, _) = Floats;
        var places = Math.Max(1, changing.Bytes / sizeof(float) / each);
        var start = changing.Floats + _repetition++ % places * each;
        var weight = IsHead ? new MatrixView(start, outputs, inputs, inputs, 1) : new MatrixView(start, inputs, outputs, outputs, 1);
        var saved = new MatrixView(start + (long)inputs * outputs, rows, inputs, inputs, 1);
        var input = new MatrixView(staying.Floats, rows, inputs, inputs, 1);
        var output = new MatrixView(staying.Floats + (long)rows * inputs, rows, outputs, outputs, 1);
        var begun = clock.Seconds;
        switch (pass)
        {
            case Pass.Forward:
                Products.Multiply(team, output, input, IsHead ? Turned(weight) : weight, Depth, bias: IsHead ? null : start);
                break;
            case Pass.InputGradient:
                Products.Multiply(team, input, output, IsHead ? weight : Turned(weight), Depth);
                break;
            default:
                var (a, b) = IsHead ? (Turned(output), saved) : (Turned(saved), output);
                Products.Multiply(team, weight, a, b, DepthParts.Equal(parts), accumulate: true);
                break;
        }
        Rates.Add(Operations / (clock.Seconds - begun));
    }

    private static MatrixView Turned(MatrixView view) => new(view.Data, view.Columns, view.Rows, view.ColumnStride, view.RowStride);
}
