namespace Elastic.Messages.Settings;

/// <summary>How the parameters of the replicas become the next model version.</summary>
public enum AveragingMethod
{
    /// <summary>The mean of the replicas' parameters; the identity for one replica.</summary>
    Average,

    /// <summary>DiLoCo (Douillard et al. 2023, algorithm 1): an outer Nesterov step along version - mean.</summary>
    Nesterov,
}

/// <summary>The format in which the numbers of a training step are kept.</summary>
public enum TrainingPrecision
{
    /// <summary>IEEE binary32, all of them.</summary>
    Fp32,

    /// <summary>bfloat16 for the weights of products and for activations.</summary>
    Bf16,

    /// <summary>IEEE binary16 for the same, with a loss that is scaled.</summary>
    Fp16,
}

/// <summary>Block <c>run</c>: how much work there is and how it is cut into rounds.</summary>
public sealed record RunSettings : SettingsGroup
{
    /// <summary>A message that names something of each replica stays well below the control plane's 64 KiB.</summary>
    public const int MostReplicas = Work.Part.MostDigests;

    /// <summary>Stages of a replica, at most: no model that trains here has more layers to cut.</summary>
    public const int MostStages = 64;

    public static RunSettings Defaults { get; } = SettingsRecord.DefaultsOf<RunSettings>();

    [Setting("run.name", "run", "Names the run. The same name goes on with the same run.", PartOfAnswer = false)]
    [Matches("[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", "1 to 64 letters, digits, '-', '_' and '.'")]
    public required string Name { get; init; }

    [Setting("run.seed", 42UL, """
        Decides the initial parameters, the sample order and the dropout masks. A fixed number, so that two people who type the same command
        compare the same fingerprint.
        """)]
    public required ulong Seed { get; init; }

    [Setting("run.replicas", 1, """
        R: logical data-parallel workers, averaged once a round. They are logical: any number of devices computes any number of replicas. A
        replica is computed on one node at a time, so that more nodes than replicas do not help. One, because more replicas need more tokens
        for the same loss.
        """)]
    [Between(1, MostReplicas), MayChange]
    public required int Replicas { get; init; }

    [Setting("run.inner-steps", 20, """
        H: optimizer steps of each replica between two averagings. With one replica it only cuts the run into pieces that are committed; a
        round is also what a crash can lose at most, so it should take minutes, not hours.
        """)]
    [Between(1, 1_000_000), MayChange]
    public required int InnerSteps { get; init; }

    [Setting("run.rounds", 40, """
        Rounds to run. Instead of it, epochs = N runs passes over the corpus. Set one of the two: of rounds and epochs, the one that was set
        last counts.
        """)]
    [Between(1, 1_000_000_000), MayChange]
    public required int? Rounds { get; init; }

    [Setting("run.epochs", null, """
        Passes over the corpus, instead of rounds: each of its samples is trained on so many times. The last round has the steps and the
        last step has the samples that are left for it.
        """, InsteadOf = "run.rounds")]
    [Between(1, 1_000_000), MayChange]
    public required int? Epochs { get; init; }

    [Setting("run.averaging", AveragingMethod.Average, """
        average: the mean of the replicas, exact and without further state. nesterov: DiLoCo's outer step, which needs far fewer averagings
        when there are several replicas.
        """)]
    public required AveragingMethod Averaging { get; init; }

    [Setting("run.precision", TrainingPrecision.Fp32, """
        In what a training step keeps numbers. fp32: all of them in 32 bits. bf16: the weights that products read, activations and their
        gradients in 16 bits with fp32's range; parameters, moments, sums of gradients and all arithmetic stay fp32. fp16: likewise, with
        more digits and a smaller range; the loss is scaled, and a step whose gradients overflow is skipped. On a CPU both save memory of
        activations, and no time. Scores and texts are computed in fp32 from the parameters.
        """)]
    [Since(5, TrainingPrecision.Fp32)]
    public required TrainingPrecision Precision { get; init; }

    // Texts of version 1 were written with and without this key.
    [Setting("run.audit-rate", 0.0, """
        Share of the replicas' rounds that two nodes compute, to compare their bytes: that is how memory or a disk that lies is found,
        named by a third computation, and kept out. It costs that share of the throughput and changes no weight. Needs two nodes to find
        and three to name. None, because most machines do not lie; use 0.05 on machines that you do not know.
        """, PartOfAnswer = false)]
    [Between(0, 1), Since(2, 0.0)]
    public required double AuditRate { get; init; }

    [Setting("run.devices-per-replica", 0, """
        Devices of a node that compute one replica, at most; CPU devices beyond a step's micro-batches lend their threads to the others.
        Fewer leave devices for other runs on the same nodes; pbm run scale changes it while the run goes on. It changes no weight.
        """, PartOfAnswer = false)]
    [Between(0, 1024, Zero = "all that are free"), Since(5, 0)]
    public required int DevicesPerReplica { get; init; }

    [Setting("run.stages", 1, """
        Nodes that compute one replica together, each a stage of consecutive layers: for models that one node has no memory for. Such a
        replica needs as many nodes at once, and is lost with any of them; all its stages are then given out anew, from its last hand-over
        or from the version. One, because nobody waits for a neighbour then. It changes no weight.
        """, PartOfAnswer = false)]
    [Between(1, MostStages), Since(6, 1)]
    public required int Stages { get; init; }

    [Setting("run.priority", 0, """
        Which run gets a node's devices where several want them: the one of the higher number, from the next step boundary on; the other one
        hands over there and goes on later. Runs of equal priority take turns. pbm run priority changes it while the run goes on. It changes
        no weight.
        """, PartOfAnswer = false)]
    [Between(-1000, 1000), Since(5, 0)]
    public required int Priority { get; init; }

    [Setting("run.needs", null, """
        Labels that a node must have (node.labels) to compute for the run, with commas between them, e.g. big,zone=b; other nodes only store
        for it. Not given: every node may compute. It changes no weight.
        """, PartOfAnswer = false)]
    [Matches(Labels.Pattern, Labels.Use), Since(5, null)]
    public required string? Needs { get; init; }

    protected override IEnumerable<string> ProblemsTogether() =>
        Rounds is null == Epochs is null ? ["run.rounds and run.epochs: set exactly one of them"] : [];
}
