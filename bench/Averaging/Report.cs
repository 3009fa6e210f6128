namespace Elastic.Bench.Mean;

/// <summary>The tables.</summary>
internal static class Report
{
    public static void Write(Samples stream, IReadOnlyList<Contender> contenders, Traffic traffic)
    {
        Console.WriteLine($"{"one plain TCP stream, GB/s",-66}{stream.Text("F2", 1e-9)}");
        Console.WriteLine();
        Row("data in", c => c.Place);
        Row("averaging, s", c => c.AverageSeconds.Text("F2"));
        Row("assembling, s", c => c.AssembleSeconds.Text("F2"));
        Row("together, s", c => c.Seconds.Text("F2"));
        if (contenders.Any(c => c.IsEncrypted))
            Row("together, against plain in the same turn", c => c.AgainstPlain.Text("F3"));
        Row("processor seconds of all nodes", c => c.ProcessorSeconds.Text("F2"));
        Row("received by all nodes, GB", _ => $"{traffic.AllReceive / 1e9:F2}");
        Row("the same per second, GB/s", c => c.BytesPerSecond.Text("F2", 1e-9));
        Row("against the stream", c => c.Ratio.Text("F3"));
        Row("processors in the program, %", c => c.User.Text("F0"));
        Row("processors in the kernel, %", c => c.Kernel.Text("F0"));
        Console.WriteLine();
        Console.WriteLine("where the time goes: the same bytes, one kind of work at a time, by the same processes at once, s");
        for (var i = 0; i < Parts.All.Count; i++)
        {
            var bytes = Parts.All[i].Name switch
            {
                "wire" => traffic.AllReceive,
                "hash" => traffic.AllHash,
                "sum" => traffic.AllSum,
                "read" => traffic.AllRead,
                _ => traffic.AllWrite,
            };
            Row($"{Parts.All[i].What}, {bytes / 1e9:F1} GB", c => c.PartSeconds[i].Text("F2"));
        }

        Row("the rest: HTTP, copies between, scheduling, waiting", c => c.Rest.Text("F2"));

        void Row(string what, Func<Contender, string> of) =>
            Console.WriteLine($"{what,-66}{string.Concat(contenders.Select(c => $"{of(c),-26}")).TrimEnd()}");
    }
}
