// elastic with a fault, as a process: its first word is the fault, the rest is elastic's.
using Elastic.Faulty;

return await FaultyNode.RunAsync(
    args[0], Environment.GetEnvironmentVariable, args[1..], Console.Out, Console.Error, CancellationToken.None);
