// Reading and writing a model of 1 GB as safetensors: seconds, and the most memory that the process had. Everything takes turns, each
// time in a process of its own; the median counts.
//
//   dotnet run -c Release --project bench/Exchange [-- --turns 5 --folder /tmp]

using System.Diagnostics;
using System.Globalization;
using Elastic.Bench.Exchange;

if (args is ["measure", var what, var place])
{
    var seconds = Measures.All[what](place);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds} {Measures.PeakBytes()}"));
    return;
}

var turns = int.Parse(Option("--turns", "5"), CultureInfo.InvariantCulture);
var root = Directory.CreateDirectory(Path.Combine(Option("--folder", Path.GetTempPath()), $"elastic-exchange-{Guid.NewGuid():N}")).FullName;
var results = Measures.All.Keys.ToDictionary(k => k, _ => new List<(double Seconds, long Bytes)>());
try
{
    for (var turn = 0; turn < turns; turn++)
        foreach (var (name, list) in results)
            list.Add(await MeasureAsync(name));
}
finally
{
    Directory.Delete(root, true);
}

foreach (var (name, list) in results)
{
    var (seconds, bytes) = (list.Select(r => r.Seconds).Order().ToList(), list.Select(r => r.Bytes).Order().ToList());
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{name,-16} {seconds[turns / 2],8:0.000} s ({seconds[0]:0.000} to {seconds[^1]:0.000})   {bytes[turns / 2] / 1e6,6:0} MB"));
}

string Option(string name, string otherwise) => Array.IndexOf(args, name) is var at and >= 0 ? args[at + 1] : otherwise;

async Task<(double Seconds, long Bytes)> MeasureAsync(string name)
{
    var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
    // Started by "dotnet program.dll", the process is dotnet.
    if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        start.ArgumentList.Add(typeof(Measures).Assembly.Location);
    var folder = Path.Combine(root, name.EndsWith("bf16", StringComparison.Ordinal) ? "bf16" : "fp32");
    foreach (var argument in (string[])["measure", name, folder])
        start.ArgumentList.Add(argument);
    using var process = Process.Start(start)!;
    var words = (await process.StandardOutput.ReadToEndAsync()).Split(' ');
    await process.WaitForExitAsync();
    return process.ExitCode == 0
        ? (double.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture))
        : throw new InvalidOperationException($"{name} ended with exit code {process.ExitCode}");
}
