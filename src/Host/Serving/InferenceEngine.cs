using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Messages;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>
/// The devices that write, each on a thread of its own, and one queue of texts for all of them. A device takes texts from the queue between
/// two steps, as many as go together and as there is memory for, so that a text neither waits for the others' end nor shows in them.
/// </summary>
internal sealed class InferenceEngine : IDisposable
{
    private readonly TextModel _model;
    private readonly ServeLimits _limits;
    private readonly Action<string> _say;
    private readonly List<Thread> _threads = [];

    // Guards what follows; devices wait on it for work.
    private readonly object _gate = new();
    private readonly Queue<TextJob> _queue = new();
    private bool _isStopped;

    private InferenceEngine(TextModel model, ServeLimits limits, Action<string> say) => (_model, _limits, _say) = (model, limits, say);

    /// <summary>Opens the devices.</summary>
    /// <param name="threads">Threads of each device on the CPU.</param>
    /// <param name="say">Is told of failures of devices.</param>
    /// <exception cref="ElasticException">A device cannot be opened, or has no memory for one text of the model's context.</exception>
    public static async Task<InferenceEngine> StartAsync(
        TextModel model, IReadOnlyList<DeviceId> devices, int threads, ServeLimits limits, Action<string> say)
    {
        var engine = new InferenceEngine(model, limits, say);
        try
        {
            foreach (var id in devices)
            {
                var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var thread = new Thread(() => engine.Run(id, threads, devices.Count, opened)) { IsBackground = true, Name = $"serve {id}" };
                thread.Start();
                engine._threads.Add(thread);
                await opened.Task;
            }
            return engine;
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    /// <summary>Puts texts into the queue, all of them or none; false where they do not fit.</summary>
    /// <exception cref="ApiException">The server ends.</exception>
    public bool TrySubmit(IReadOnlyCollection<TextJob> jobs)
    {
        lock (_gate)
        {
            if (_queue.Count + jobs.Count > _limits.Queue)
            {
                // Clients that have gone leave their texts behind.
                var wanted = _queue.Where(j => !j.IsCancelled).ToList();
                _queue.Clear();
                wanted.ForEach(_queue.Enqueue);
            }
            if (_isStopped)
                throw ApiException.Ending();
            if (_queue.Count + jobs.Count > _limits.Queue)
                return false;
            foreach (var job in jobs)
                _queue.Enqueue(job);
            Monitor.PulseAll(_gate);
            return true;
        }
    }

    /// <summary>Ends all texts and the devices.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.PulseAll(_gate);
        }
        _threads.ForEach(t => t.Join());
        foreach (var job in _queue)
            job.Complete(ApiException.Ending());
    }

    // A device's thread.
    private void Run(DeviceId id, int threads, int devices, TaskCompletionSource opened)
    {
        try
        {
            using var device = _model.Open(id, threads);
            using var generator = new TextGenerator(device.Device, _model.Tokenizer.VocabularySize);
            var room = RoomFor(device, devices);
            opened.SetResult();
            Serve(id, generator, room, device.Device.StateBytes);
        }
        catch (Exception e) when (!opened.Task.IsCompleted)
        {
            opened.SetException(e);
        }
    }

    // Bytes for what the device keeps of texts: half of what is free, so that other programs and the passes have room. A device's own
    // memory is not known here.
    private double RoomFor(OpenedDevice device, int devices)
    {
        var (one, free) = ((double)device.Device.StateBytes(_model.Architecture.Context), MachineMemory.Now().FreeBytes);
        return one * devices <= free / 2.0
            ? free / 2.0 / devices
            : throw new ElasticException(
                $"the keys and values of one text of {_model.Architecture.Context} tokens take {ByteSize.Text(one)} of memory on each of "
                + $"{devices} devices, and {ByteSize.Text(free)} are free: use fewer devices (--devices), or free some memory");
    }

    private void Serve(DeviceId id, TextGenerator generator, double room, Func<int, long> bytes)
    {
        var active = new Dictionary<GeneratedText, TextJob>();
        double BytesOf(TextJob job) => bytes(Math.Min(job.Prompt.Count + job.Count, _model.Architecture.Context));
        while (true)
        {
            foreach (var (text, job) in active.Where(a => a.Value.IsCancelled).ToList())
                End(text, job, null);
            if (Next(active.Count, room - active.Values.Sum(BytesOf), BytesOf) is not { } joining)
                break;
            foreach (var job in joining)
                Begin(job);
            if (active.Count > 0)
                Step();
        }
        foreach (var (text, job) in active.ToList())
            End(text, job, ApiException.Ending());
        return;

        void Begin(TextJob job)
        {
            try
            {
                active[generator.Add(job.Prompt, job.Count, job.Sampling, job.Likeliest)] = job;
            }
            catch (Exception e)
            {
                // Whatever is wrong with one text ends that text: an exception that leaves this thread would end the process.
                _say($"{id} failed: {OutOfMemory.Sentence(e)}");
                job.Complete(ApiException.Failed());
            }
        }

        void Step()
        {
            try
            {
                foreach (var drawn in generator.Step())
                {
                    var job = active[drawn.Text];
                    job.Give(new JobToken(drawn.Token, drawn.Probabilities));
                    if (drawn.IsLast || drawn.Token == _model.Tokenizer.EndOfText || drawn.Token == job.End)
                        End(drawn.Text, job, null);
                }
            }
            catch (Exception e)
            {
                // A device that fails now may serve the next request; the reason goes to the console, not to the clients.
                _say($"{id} failed: {OutOfMemory.Sentence(e)}");
                foreach (var (text, job) in active.ToList())
                    End(text, job, ApiException.Failed());
            }
        }

        void End(GeneratedText text, TextJob job, ApiException? why)
        {
            generator.Remove(text);
            active.Remove(text);
            job.Complete(why);
        }
    }

    // The texts that join the next step; waits for one where a device has none. Null at the end.
    private List<TextJob>? Next(int active, double room, Func<TextJob, double> bytes)
    {
        lock (_gate)
        {
            while (!_isStopped && active == 0 && _queue.Count == 0)
                Monitor.Wait(_gate);
            if (_isStopped)
                return null;
            var joining = new List<TextJob>();
            while (active + joining.Count < _limits.Parallel && _queue.TryPeek(out var job) && (job.IsCancelled || bytes(job) <= room))
            {
                _queue.Dequeue();
                if (job.IsCancelled)
                    continue;
                room -= bytes(job);
                joining.Add(job);
            }
            return joining;
        }
    }
}
