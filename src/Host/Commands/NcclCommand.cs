using System.CommandLine;
using System.Text.Json.Nodes;
using Elastic.Model.Training;

namespace Elastic.Host.Commands;

/// <summary><c>elastic nccl</c>: one rank of a check that GPUs of several processes exchange vectors through NCCL.</summary>
internal static class NcclCommand
{
    private const int LeastRanks = 2, MostRanks = 1024, MostExchanges = 100_000_000;

    public static Command Build()
    {
        var rank = CommonOptions.Number("--rank", "Which of the ranks this process is, from 0.", 0, MostRanks - 1);
        var ranks = CommonOptions.Number("--ranks", "How many processes there are.", LeastRanks, MostRanks, LeastRanks);
        var exchanges = CommonOptions.Number("--exchanges", "How often each sends 4 MiB to the next one.", 1, MostExchanges, 100);
        var deadline = CommonOptions.Number("--deadline", "Seconds after which an exchange counts as failed.", 1, 3600, 10);
        var folder = new Option<string>("--dir")
        {
            Description = "Where the ranks find each other: a folder that is empty or not there yet, the same for all.",
            HelpName = "DIR",
            Required = true,
        };
        var device = CommonOptions.Gpu("The GPU of this rank.");
        var json = CommandOutput.Option();
        var command = new TeachingCommand("nccl",
            "Takes part in a check of NCCL between processes, in builds for GPUs: each rank sends the next one 4 MiB, again and again, and "
            + "looks at every number that comes. Ends with exit code 1 and a sentence where another rank is gone, hangs or sends something "
            + "else. Two ranks on one GPU need different NCCL_HOSTID, or NCCL refuses them.",
            """
            NCCL_HOSTID=a elastic nccl --rank 0 --dir /tmp/ranks &  two processes on one GPU
            NCCL_HOSTID=b elastic nccl --rank 1 --dir /tmp/ranks
            """)
        { rank, ranks, folder, device, exchanges, deadline, json };
        command.Validators.Add(result =>
        {
            // A default is not there yet.
            var count = result.GetResult(ranks) is { Implicit: false } given ? given.GetValueOrDefault<int>() : LeastRanks;
            if (result.GetResult(rank)?.GetValueOrDefault<int>() is { } own && own >= count)
                result.AddError($"--rank {own}: there are ranks 0 to {count - 1}; see --ranks");
        });
        command.SetAction(async (parsed, cancel) =>
        {
            var output = CommandOutput.Of(parsed, json);
            var (own, count) = (parsed.GetValue(rank), parsed.GetValue(ranks));
            var id = CommonOptions.GpuOf(parsed, device);
            var taken = new ProcessRank(
                own, count, Path.GetFullPath(parsed.GetValue(folder)!), parsed.GetValue(exchanges),
                TimeSpan.FromSeconds(parsed.GetValue(deadline)));
            // NCCL's calls are this thread's.
            var line = await Task.Run(() => DeviceBackends.Of(id).CheckProcesses(id, taken, output.Say, cancel), cancel);
            output.Say(line);
            output.Result(new JsonObject { ["rank"] = own, ["ranks"] = count, ["text"] = line });
            return ExitCodes.Done;
        });
        return command;
    }
}
