// Tries the elementary functions on all 2^32 inputs, or on every n-th, against double precision, and prints the largest error of each.
//
//   dotnet run -c Release --project bench/Elementary -- [--every N] [--function NAME]
//
// With --speed it times functions and row kernels instead.
using System.Diagnostics;
using Elastic.Bench;

if (args.Contains("--speed"))
{
    Speed.Print();
    return;
}

const int block = 1 << 12;
long every = 1;
string? only = null;
for (var i = 0; i + 1 < args.Length; i += 2)
{
    if (args[i] == "--every")
        every = long.Parse(args[i + 1]);
    else if (args[i] == "--function")
        only = args[i + 1];
}

foreach (var function in ElementaryFunction.All.Where(f => only is null || f.Name == only))
{
    var watch = Stopwatch.StartNew();
    var (worst, at) = (0.0, 0f);
    var blocks = (1L << 32) / every / block + 1;
    var key = new Lock();
    Parallel.For(0L, 512, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, piece =>
    {
        float[] x = new float[block], y = new float[block];
        var (largest, where) = (0.0, 0f);
        for (var b = piece * blocks / 512; b < (piece + 1) * blocks / 512; b++)
        {
            for (var i = 0; i < block; i++)
                x[i] = BitConverter.UInt32BitsToSingle((uint)Math.Min((b * block + i) * every, uint.MaxValue));
            function.Apply(x, y);
            for (var i = 0; i < block; i++)
            {
                if (!function.IsDomain(x[i]))
                    continue;
                var error = ElementaryFunction.Ulps(y[i], function.Exact(x[i]));
                if (error > largest)
                    (largest, where) = (error, x[i]);
            }
        }
        lock (key)
        {
            if (largest > worst)
                (worst, at) = (largest, where);
        }
    });
    Console.WriteLine($"{function.Name,-12} {worst:F4} ulp at {at:G9}, {(worst <= function.Bound ? "within" : "ABOVE")} {function.Bound} "
        + $"({blocks * block:N0} inputs, {watch.Elapsed.TotalSeconds:F0} s)");
}
