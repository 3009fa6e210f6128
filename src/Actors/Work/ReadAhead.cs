namespace Elastic.Actors.Work;

/// <summary>
/// Reads what the steps of a round need, several steps ahead, and gives it out in their order. So a reader that is far away costs its round
/// trip once, and not at each step. Used by one caller at a time.
/// </summary>
internal sealed class ReadAhead<T>
{
    private readonly Queue<Task<T>> _reading = [];
    private readonly Func<int, Task<T>> _read;
    private readonly int _end;
    private int _next;

    /// <param name="first">The first step.</param>
    /// <param name="end">The step after the last one.</param>
    /// <param name="ahead">Steps that are read at once.</param>
    public ReadAhead(int first, int end, int ahead, Func<int, Task<T>> read)
    {
        (_next, _end, _read) = (first, end, read);
        for (var i = 0; i < ahead; i++)
            Begin();
    }

    /// <summary>What the next step needs; begins to read for a later one.</summary>
    public Task<T> NextAsync()
    {
        var read = _reading.Dequeue();
        Begin();
        return read;
    }

    /// <summary>Waits until the next step has what it needs.</summary>
    /// <exception cref="OperationCanceledException">Nobody waits any more; what is being read comes all the same.</exception>
    public Task ArrivesAsync(CancellationToken cancel) => _reading.TryPeek(out var read) ? read.WaitAsync(cancel) : Task.CompletedTask;

    private void Begin()
    {
        if (_next < _end)
            _reading.Enqueue(_read(_next++));
    }
}
