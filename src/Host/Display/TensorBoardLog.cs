using Elastic.Messages.Runs;
using Elastic.Model.Native;
using TorchSharp;
using TorchSharp.Modules;

namespace Elastic.Host.Display;

/// <summary>
/// Event files for TensorBoard, by inner step. Each start writes a file of its own; where a killed run computes a step again, it
/// writes the same numbers again. A diagram is not worth a run: when the disk refuses, it stops writing and says so once.
/// </summary>
internal sealed class TensorBoardLog
{
    private readonly SummaryWriter? _writer;
    private readonly Action<string> _notice;
    private long _step = -1;
    private double? _score;
    private bool _broken;

    public TensorBoardLog(string folder, Action<string> notice)
    {
        _notice = notice;
        Guard(() => Directory.CreateDirectory(folder));
        if (_broken)
            return;
        NativeTorch.Load();                 // the library computes its checksums natively
        _writer = torch.utils.tensorboard.SummaryWriter(folder);
    }

    /// <summary>Writes what is new in <paramref name="view"/>.</summary>
    public void Write(RunView view) => Guard(() =>
    {
        // The library counts steps in 32 bits.
        var step = (int)Math.Min(view.Steps, int.MaxValue);
        if (view.Steps != _step && view.TrainLoss is { } loss)
        {
            _step = view.Steps;
            Scalar("loss/train", loss, step);
            if (view.LearningRate is { } rate)
                Scalar("learning-rate", rate, step);
            if (view.TokensPerSecond > 0)
                Scalar("tokens-per-second", view.TokensPerSecond, step);
        }

        if (view.ValLoss is { } score && score != _score)
        {
            _score = score;
            Scalar("loss/validation", score, step);
            if (view.BitsPerByte is { } bits)
                Scalar("bits-per-byte", bits, step);
        }
    });

    private void Scalar(string name, double value, int step) => _writer?.add_scalar(name, (float)value, step);

    private void Guard(Action write)
    {
        if (_broken)
            return;
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _broken = true;
            _notice($"no more TensorBoard files: {e.Message}");
        }
    }
}
