using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Host.Tests;

/// <summary>A run in the middle of its training, and a node, as people see them.</summary>
internal static class Views
{
    public static readonly RunView Tiny = new()
    {
        Name = new RunName("tiny"),
        RunId = new RunId("tiny-3k9v2mq7"),
        Phase = RunPhase.Computing,
        Round = 5,
        Rounds = 40,
        Steps = 100,
        TotalSteps = 800,
        Tokens = 204_800,
        TotalTokens = 1_638_400,
        Samples = 1600,
        TrainLoss = 2.34567,
        ValLoss = 2.28714,
        BitsPerByte = 3.29966,
        ScoredRound = 5,
        TokensPerSecond = 12_345,
        LearningRate = 1e-3,
        Fingerprint = Digest.Of([]),
        Checkpoint = "/data/runs/tiny-3k9v2mq7/checkpoints/round-000005.json",
        Nodes = 1,
        Devices = 2,
    };

    /// <summary>A worker with one device.</summary>
    public static NodeView Node(string address, string id) => new()
    {
        Node = new(id),
        Address = address,
        Seed = false,
        Devices = ["cpu:0"],
        Endpoint = "",
        Version = "0.1.0",
        State = "up",
        Work = [],
        Arithmetic = "",
    };
}
