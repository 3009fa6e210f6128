using Elastic.Model.Tapes;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// What has no kernel of ours: libtorch's plain operators, in fp32. Backwards they compute the operation again, of this one operation with
/// autograd, so that nothing but its inputs is kept.
/// </summary>
internal sealed class PlainOnGpu : GpuOperator
{
    /// <inheritdoc/>
    public override void Forward(GpuPass pass, Operation operation)
    {
        var (plain, index) = Open(pass, operation);
        using (plain)
        {
            plain.Forward(index, index + 1);
            using var y = plain.Take(operation.Output!);
            pass.Made(operation.Output!, y.to(pass.TypeOf(operation.Output!)).alias());
        }
    }

    /// <inheritdoc/>
    public override void Backward(GpuPass pass, Operation operation)
    {
        var (plain, index) = Open(pass, operation);
        using (plain)
        {
            using var gradients = TorchSharp.torch.enable_grad();
            plain.Forward(index, index + 1);
            plain.PutGradient(operation.Output!, pass.Dy.to(TorchSharp.torch.float32).clone());
            plain.Backward(index, index + 1);
            foreach (var input in operation.Inputs.Distinct().Where(pass.Gradients.AreWanted))
            {
                if (plain.TakeGradient(input) is { } dx)
                    pass.Gradients.Give(input, dx);
            }
        }
    }

    private static (ITapePass Plain, int Index) Open(GpuPass pass, Operation operation)
    {
        var plain = pass.Inputs.Plain(pass);
        try
        {
            foreach (var input in operation.Inputs.Distinct())
                plain.Put(input, pass[input].to(TorchSharp.torch.float32).clone());
            return (plain, pass.Tape.Operations.Index().First(o => o.Item == operation).Index);
        }
        catch
        {
            plain.Dispose();
            throw;
        }
    }
}
