using System.Diagnostics;
using System.Runtime.InteropServices;
using Elastic.Kernels;

namespace Elastic.Bench.Kernels;

/// <summary>
/// Seconds that pass, or that the processors spend on a team, divided by its threads: on a busy machine only the latter says how good a
/// kernel is, but it leaves out a thread that sleeps while it waits for another.
/// </summary>
internal sealed class Clock(bool countsProcessorTime, ThreadTeam team)
{
    private readonly double[] _seconds = new double[team.Threads];

    /// <summary>Now; only differences mean something.</summary>
    public double Seconds
    {
        get
        {
            if (!countsProcessorTime)
                return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
            team.Run(new ReadEachThread(_seconds, new int[1]), team.Threads);
            return _seconds.Average();
        }
    }
}

/// <summary>Each thread of a team reads its own clock: another thread's is late by up to a timer's tick.</summary>
internal readonly partial struct ReadEachThread(double[] seconds, int[] begun) : IParallelWork
{
    private const int ThreadCpuTime = 3;

    public void Run(int piece)
    {
        // Nobody takes a second piece before everybody has one.
        Interlocked.Increment(ref begun[0]);
        while (Volatile.Read(ref begun[0]) < seconds.Length)
            Thread.Yield();
        if (GetTime(ThreadCpuTime, out var time) != 0)
            throw new PlatformNotSupportedException("processor time is read by clock_gettime");
        seconds[ThreadTeam.ThreadIndex] = time.Seconds + time.Nanoseconds * 1e-9;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Time time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public long Seconds, Nanoseconds;
    }
}
