using System.Runtime.InteropServices;

namespace Elastic.Kernels.Tests;

public partial class ThreadTeamTests
{
    [Fact]
    public void A_team_without_threads_is_refused()
        => Assert.Throws<ArgumentOutOfRangeException>(() => new ThreadTeam(0));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_piece_that_runs_its_own_team_is_refused(int threads)
    {
        using var team = new ThreadTeam(threads);
        Assert.Throws<InvalidOperationException>(() => team.Run(new Nested(team), 8));
        Count(team, 8);
    }

    [Fact]
    public void A_second_caller_is_refused_while_the_team_runs()
    {
        using var team = new ThreadTeam(2);
        using ManualResetEventSlim begun = new(), end = new();
        var first = new Thread(() => team.Run(new Call(_ =>
        {
            begun.Set();
            end.Wait();
        }), 1));
        first.Start();
        begun.Wait(TestContext.Current.CancellationToken);
        Assert.Throws<InvalidOperationException>(() => team.Run(new Call(_ => { }), 1));
        end.Set();
        first.Join();
        Count(team, 5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Every_piece_runs_once(int threads)
    {
        using var team = new ThreadTeam(threads);
        for (var pieces = 0; pieces < 40; pieces++)
        {
            for (var again = 0; again < 50; again++)
                Count(team, pieces);
        }
    }

    [Fact]
    public void Sleeping_threads_wake_for_new_work()
    {
        using var team = new ThreadTeam(3);
        using var together = new Barrier(3);
        for (var again = 0; again < 20; again++)
        {
            // Longer than the threads spin. Three pieces that wait for one another need three threads.
            Thread.Sleep(1);
            team.Run(new Call(_ => together.SignalAndWait(TimeSpan.FromMinutes(1))), 3);
        }
        Assert.Equal(20, together.CurrentPhaseNumber);
    }

    [Fact]
    public void Each_thread_has_an_index_of_its_own()
    {
        using var team = new ThreadTeam(3);
        using var together = new Barrier(3);
        var seen = new int[3];
        team.Run(new Call(_ =>
        {
            together.SignalAndWait(TimeSpan.FromMinutes(1));
            Interlocked.Increment(ref seen[ThreadTeam.ThreadIndex]);
        }), 3);
        Assert.Equal([1, 1, 1], seen);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_exception_of_a_piece_reaches_the_caller_after_all_have_ended(int threads)
    {
        using var team = new ThreadTeam(threads);
        var inside = 0;
        var e = Assert.Throws<TimeZoneNotFoundException>(() => team.Run(new Call(piece =>
        {
            Interlocked.Increment(ref inside);
            Thread.SpinWait(100);
            Interlocked.Decrement(ref inside);
            if (piece == 5)
                throw new TimeZoneNotFoundException("five");
        }), 100));
        Assert.Equal("five", e.Message);
        Assert.Equal(0, inside);
        Count(team, 10);
    }

    [Fact]
    public void A_run_allocates_nothing()
    {
        using var team = new ThreadTeam(2);
        var counts = new int[64];
        team.Run(new Counting(counts), 64);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var again = 0; again < 100; again++)
            team.Run(new Counting(counts), 64);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void A_disposed_team_is_refused()
    {
        var team = new ThreadTeam(2);
        team.Dispose();
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.Run(new Call(_ => { }), 1));
    }

    [Theory]
    [InlineData(0x8000)]   // results: flush-to-zero
    [InlineData(0x0040)]   // operands: denormals-are-zero
    public void A_thread_that_flushes_denormals_is_refused(int bits)
    {
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64 && NativeLibrary.TryLoad("libm.so.6", out _),
            "sets the mode by the GNU C library on x86-64");
        Exception? construction = null, run = null;
        using var made = new ThreadTeam(2);
        // A thread of its own, whose mode ends with it.
        var thread = new Thread(() =>
        {
            FlushDenormals(bits);
            construction = Record.Exception(() => new ThreadTeam(2).Dispose());
            run = Record.Exception(() => made.Run(new Call(_ => { }), 2));
        });
        thread.Start();
        thread.Join();
        var message = Assert.IsType<InvalidOperationException>(construction).Message;
        Assert.Contains("flushes denormal numbers", message, StringComparison.Ordinal);
        Assert.IsType<InvalidOperationException>(run);
        Count(made, 10);
    }

    [Fact]
    public void A_worker_that_flushes_denormals_is_refused()
    {
        var asked = 0;
        Assert.Throws<InvalidOperationException>(() => new ThreadTeam(3, "test", () => Interlocked.Increment(ref asked) != 3).Dispose());
    }

    private static void Count(ThreadTeam team, int pieces)
    {
        var counts = new int[pieces];
        team.Run(new Counting(counts), pieces);
        Assert.All(counts, c => Assert.Equal(1, c));
    }

    private static unsafe void FlushDenormals(int bits)
    {
        // fenv_t of the GNU C library: 28 bytes of the x87, then MXCSR.
        var environment = stackalloc uint[16];
        Assert.Equal(0, GetEnvironment(environment));
        environment[7] |= (uint)bits;
        Assert.Equal(0, SetEnvironment(environment));
    }

    [LibraryImport("libm.so.6", EntryPoint = "fegetenv")]
    private static unsafe partial int GetEnvironment(uint* environment);

    [LibraryImport("libm.so.6", EntryPoint = "fesetenv")]
    private static unsafe partial int SetEnvironment(uint* environment);

    private readonly struct Counting(int[] counts) : IParallelWork
    {
        public void Run(int piece) => Interlocked.Increment(ref counts[piece]);
    }

    private readonly struct Call(Action<int> action) : IParallelWork
    {
        public void Run(int piece) => action(piece);
    }

    private readonly struct Nested(ThreadTeam team) : IParallelWork
    {
        public void Run(int piece) => team.Run(new Call(_ => { }), 1);
    }
}
