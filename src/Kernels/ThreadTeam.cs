using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>Work that is cut into pieces, none of which needs another's result.</summary>
public interface IParallelWork
{
    /// <summary>Does one piece; any thread may be the one, in any order.</summary>
    void Run(int piece);
}

/// <summary>
/// The threads that one device computes with. <see cref="Run"/> cuts work into pieces that the threads take one after another; the caller's
/// thread is one of them. Pieces are parts of the output, never of a sum, so who takes which does not show in the bits.
///
/// One word holds the number of the run and how many of its pieces are left. A thread takes a piece by lowering it, which succeeds only
/// while that run lasts; therefore a thread that comes late finds nothing, and nobody waits for it. Between runs the threads spin for
/// <see cref="SpinTicks"/> and then sleep: a training step has hundreds of runs, a few microseconds apart.
/// </summary>
public sealed unsafe class ThreadTeam : IDisposable
{
    // 50 µs: longer than the gaps between the kernels of a step, and about what waking a sleeping thread costs.
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;

    [ThreadStatic]
    private static int _threadIndex;

    private readonly Func<bool> _keepsDenormals;
    private readonly Thread[] _workers;
    private readonly Lock _callers = new();

    // Sleeping workers wait for _wake, a sleeping caller for _finished.
    private readonly object _wake = new(), _finished = new();

    private Shared _shared;
    private delegate*<void*, int, void> _execute;
    private void* _work;
    private int _pieces;
    private Exception? _failure;
    private bool _isDisposed;

    /// <summary>Starts the threads; they live until <see cref="Dispose"/>.</summary>
    /// <param name="threads">The caller's included: 1 starts none.</param>
    /// <param name="name">What the threads are called in a debugger.</param>
    /// <exception cref="InvalidOperationException">A thread flushes denormal numbers to zero.</exception>
    public ThreadTeam(int threads, string name = "kernels")
        : this(threads, name, Denormals.AreKept)
    {
    }

    internal ThreadTeam(int threads, string name, Func<bool> keepsDenormals)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _keepsDenormals = keepsDenormals;
        RequireDenormals();
        _workers = new Thread[threads - 1];
        Workspace = new ProductWorkspace(threads);
        using var started = new CountdownEvent(threads - 1 + 1);
        var flushing = 0;
        for (var i = 0; i < _workers.Length; i++)
        {
            var index = i + 1;
            _workers[i] = new Thread(() =>
            {
                _threadIndex = index;
                if (!_keepsDenormals())
                    Interlocked.Increment(ref flushing);
                // The constructor's variables are gone as soon as every thread has signalled.
                started.Signal();
                Work();
            })
            { IsBackground = true, Name = $"{name} {index}" };
            _workers[i].Start();
        }
        started.Signal();
        started.Wait();
        if (Volatile.Read(ref flushing) == 0)
            return;
        Dispose();
        throw new InvalidOperationException(FlushingMessage);
    }

    /// <summary>Threads that compute, the caller's included.</summary>
    public int Threads => _workers.Length + 1;

    /// <summary>Which of its team's threads the calling thread is: 0 the caller's, from 1 the others. For memory of each thread.</summary>
    public static int ThreadIndex => _threadIndex;

    /// <summary>What products pack into.</summary>
    internal ProductWorkspace Workspace { get; }

    private static string FlushingMessage =>
        "this thread flushes denormal numbers to zero: its sums would differ from other nodes'. A native library has set this mode "
        + "(flush-to-zero or denormals-are-zero); do not load it into this process, or start it on a thread of its own";

    /// <summary>
    /// Runs all pieces of <paramref name="work"/> and returns when they have ended. Allocates nothing. One caller at a time; a piece must
    /// not call it for its own team.
    /// </summary>
    /// <param name="work">Is copied; what its pieces write must be behind pointers or references.</param>
    /// <param name="pieces">0 does nothing.</param>
    /// <exception cref="InvalidOperationException">
    /// The team runs already, or the calling thread flushes denormal numbers to zero. An exception of a piece is thrown here after all that
    /// were begun have ended; pieces that were not begun before it are left out.
    /// </exception>
    public void Run<TWork>(in TWork work, int pieces)
        where TWork : struct, IParallelWork
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pieces);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed), this);
        RequireDenormals();
        // A held lock says "busy" to other threads only: a piece of the caller's own thread is told by _work.
        if (!_callers.TryEnter())
            throw new InvalidOperationException("this team runs already: one caller at a time");
        var index = _threadIndex;
        try
        {
            if (_work is not null)
                throw new InvalidOperationException("a piece of this team's work runs the team again");
            _threadIndex = 0;
            // On the stack, so that its address stays. The frame outlives the run.
            var copy = work;
            RunOnStack(&Execute<TWork>, Unsafe.AsPointer(ref copy), pieces);
        }
        finally
        {
            _threadIndex = index;
            _callers.Exit();
        }
    }

    /// <summary>Ends the threads. Not while a run lasts.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
            return;
        lock (_wake)
            Monitor.PulseAll(_wake);
        foreach (var worker in _workers)
            worker.Join();
        Workspace.Dispose();
    }

    private static void Execute<TWork>(void* work, int piece)
        where TWork : struct, IParallelWork
        => Unsafe.AsRef<TWork>(work).Run(piece);

    private void RequireDenormals()
    {
        if (!_keepsDenormals())
            throw new InvalidOperationException(FlushingMessage);
    }

    private void RunOnStack(delegate*<void*, int, void> execute, void* work, int pieces)
    {
        _execute = execute;
        _work = work;
        (_pieces, _failure) = (pieces, null);
        Volatile.Write(ref _shared.Ended, 0);
        // Publishes the fields above. Without other threads, or with one piece, nobody needs to be told.
        var run = (_shared.Left >> 32) + 1;
        Interlocked.Exchange(ref _shared.Left, (run << 32) | (uint)pieces);
        if (pieces > 1 && Volatile.Read(ref _shared.Sleeping) > 0)
        {
            lock (_wake)
                Monitor.PulseAll(_wake);
        }
        TakePieces();
        WaitForOthers(pieces);
        _work = null;
        if (_failure is not null)
            ExceptionDispatchInfo.Throw(_failure);
    }

    private void WaitForOthers(int pieces)
    {
        var start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _shared.Ended) < pieces)
        {
            if (Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(1);
                continue;
            }
            lock (_finished)
            {
                Interlocked.Exchange(ref _shared.CallerSleeps, 1);
                while (Volatile.Read(ref _shared.Ended) < pieces)
                    Monitor.Wait(_finished);
                _shared.CallerSleeps = 0;
            }
        }
    }

    private void TakePieces()
    {
        while (true)
        {
            var left = Volatile.Read(ref _shared.Left);
            var pieces = (int)(uint)left;
            if (pieces == 0)
                return;
            // Whoever lowers the number is in a run that cannot end before this piece has: then the fields are this run's.
            if (Interlocked.CompareExchange(ref _shared.Left, left - 1, left) != left)
                continue;
            var all = _pieces;
            try
            {
                if (Volatile.Read(ref _failure) is null)
                    _execute(_work, all - pieces);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _failure, e, null);
            }
            if (Interlocked.Increment(ref _shared.Ended) == all && Volatile.Read(ref _shared.CallerSleeps) != 0)
            {
                lock (_finished)
                    Monitor.PulseAll(_finished);
            }
        }
    }

    private void Work()
    {
        var idleSince = Stopwatch.GetTimestamp();
        while (!Volatile.Read(ref _isDisposed))
        {
            if (HasWork)
            {
                TakePieces();
                idleSince = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetTimestamp() - idleSince < SpinTicks)
            {
                Thread.SpinWait(1);
            }
            else
            {
                Sleep();
                idleSince = Stopwatch.GetTimestamp();
            }
        }
    }

    private bool HasWork => (uint)Volatile.Read(ref _shared.Left) != 0;

    private void Sleep()
    {
        lock (_wake)
        {
            // A full fence: either the caller sees this thread asleep, or this thread sees the caller's work.
            Interlocked.Increment(ref _shared.Sleeping);
            while (!HasWork && !Volatile.Read(ref _isDisposed))
                Monitor.Wait(_wake);
            Interlocked.Decrement(ref _shared.Sleeping);
        }
    }

    // Each on a line of its own (two, because processors fetch neighbours): many threads write them.
    [StructLayout(LayoutKind.Explicit, Size = 640)]
    private struct Shared
    {
        [FieldOffset(128)]
        public long Left;

        [FieldOffset(256)]
        public int Ended;

        [FieldOffset(384)]
        public int Sleeping;

        [FieldOffset(512)]
        public int CallerSleeps;
    }
}
