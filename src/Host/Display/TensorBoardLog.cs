using Elastic.Messages.Runs;

namespace Elastic.Host.Display;

/// <summary>
/// Event files for TensorBoard, by inner step. Each start writes a file of its own, with this process's steps; where a killed
/// run computes a step again, it writes the same numbers again. A disk error must not end the run: the log stops and says so once.
/// </summary>
internal sealed class TensorBoardLog : IDisposable
{
    private TensorBoardFile? _file;
    private readonly Action<string> _notice;
    private long _step = -1;
    private RunView? _shown;
    private bool _broken;

    public TensorBoardLog(string folder, Action<string> notice)
    {
        _notice = notice;
        Guard(() =>
        {
            Directory.CreateDirectory(folder);
            _file = new TensorBoardFile(folder);
        });
    }

    /// <summary>Writes what is new in <paramref name="view"/>.</summary>
    public void Write(RunView view) => Guard(() =>
    {
        var step = view.Steps;
        // Without a learning rate this process has taken no step yet, and the loss is the journal's: the mean of an earlier round.
        if (view.Steps != _step && view is { TrainLoss: { } loss, LearningRate: { } rate })
        {
            _step = view.Steps;
            Scalar("loss/train", loss, step);
            Scalar("learning-rate", rate, step);
            if (view.TokensPerSecond > 0)
                Scalar("tokens-per-second", view.TokensPerSecond, step);
        }

        // The score in the first view is from before this process, and belongs to an earlier step.
        if (view.ValLoss is { } score && _shown is not null && score != _shown.ValLoss)
        {
            Scalar("loss/validation", score, step);
            if (view.BitsPerByte is { } bits)
                Scalar("bits-per-byte", bits, step);
        }

        _shown = view;
    });

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file?.Dispose();

    private void Scalar(string name, double value, long step) => _file?.Scalar(name, (float)value, step);

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
