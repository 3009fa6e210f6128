using Elastic.Foundation;

namespace Elastic.Host.Commands;

/// <summary>
/// What a node does besides its work. One of these tasks that fails is told of at once, and nothing else ends because of it: the node goes
/// on, and hands over when it leaves. Not thread-safe.
/// </summary>
/// <param name="say">Is told of a task that fails.</param>
/// <param name="asked">Ends the tasks, too.</param>
internal sealed class BackgroundTasks(Action<string> say, CancellationToken asked) : IDisposable
{
    private readonly CancellationTokenSource _ending = CancellationTokenSource.CreateLinkedTokenSource(asked);
    private readonly List<Task> _tasks = [];

    /// <summary>Is cancelled when the tasks are to end.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>Begins a task.</summary>
    /// <param name="what">What it does, as the begin of a sentence.</param>
    /// <param name="run">Runs until it is cancelled.</param>
    public void Begin(string what, Func<CancellationToken, Task> run) => _tasks.Add(WatchAsync(what, run));

    /// <summary>Ends the tasks, and waits for them. Throws nothing that one of them threw.</summary>
    public async Task EndAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_tasks);
    }

    /// <inheritdoc/>
    public void Dispose() => _ending.Dispose();

    private async Task WatchAsync(string what, Func<CancellationToken, Task> run)
    {
        try
        {
            await run(Ending);
        }
        catch (OperationCanceledException) when (Ending.IsCancellationRequested)
        {
            // The process ends.
        }
        catch (Exception e)
        {
            say($"{what} ended ({OneLine.Of($"{e.GetType().Name}: {e.Message}")}): the node goes on without, until it is started again; "
                + "please report it");
        }
    }
}
