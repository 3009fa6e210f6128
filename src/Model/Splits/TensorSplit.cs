using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>How many devices can share each layer of a network.</summary>
public static class TensorSplit
{
    /// <summary>The most: a power of two; 1 for a network whose layers cannot be shared.</summary>
    public static int Most(IArchitecture architecture)
    {
        var most = 1;
        while (most < ReplicaSplit.Most && Problem(architecture, 2 * most) is null)
            most *= 2;
        return most;
    }

    /// <summary>Refuses a number of devices.</summary>
    /// <exception cref="ElasticException">So many cannot share the layers; says why, and how many can.</exception>
    public static void Check(IArchitecture architecture, int ranks)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        if (Problem(architecture, ranks) is not { } why)
            return;
        var most = Most(architecture);
        throw new ElasticException(
            $"tensor:{ranks} does not fit {architecture.Signature}: {why}; use "
            + (most == 1 ? "node.split = none, or a pipeline" : $"tensor:{most}"));
    }

    // The last rank has the least: what it cannot record, the group cannot compute.
    private static string? Problem(IArchitecture architecture, int ranks)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var layout = new FlatLayout(architecture.Parameters);
        var shape = new BatchShape(1, 1, architecture.Context, architecture.SourceContext);
        if (shape.Rows < ranks)
            return $"{shape.Rows} tokens cannot be divided among {ranks} devices";
        try
        {
            architecture.Record(new Tape(TapePurpose.Training, shape, layout, share: new TensorShare(ranks - 1, ranks)));
            return null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
    }
}
