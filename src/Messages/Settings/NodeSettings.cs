namespace Elastic.Messages.Settings;

/// <summary>The place where a node keeps what only the update of parameters reads.</summary>
public enum OffloadMode
{
    /// <summary>Kept in memory.</summary>
    None,

    /// <summary>Kept in a file that is mapped into memory.</summary>
    File,
}

/// <summary>
/// Block <c>node</c>: where a run is computed. Not part of a run's settings: how many devices there are, with how many threads, and
/// where, does not change the weights. What kind they are does; a run notes it as its arithmetic, and does not go on with another.
/// </summary>
public sealed record NodeSettings : SettingsGroup
{
    public static NodeSettings Defaults { get; } = SettingsRecord.DefaultsOf<NodeSettings>();

    [Setting("node.devices", "auto", """
        auto: all GPUs, else one CPU device with all cores. cpu:N for N CPU devices, each of which can train a replica of its own, or
        cpu:0,2 by their numbers; cuda:all, cuda:0,1; "cuda:0#0,0#1" for logical devices, which are streams of one GPU. On seeds and workers
        also none: it stores and does not compute.
        """, PartOfAnswer = false)]
    [Matches("auto|none|(?:cpu|torch):(?:[1-9][0-9]{0,2}|10[01][0-9]|102[0-4]|[0-9]{1,4}(?:,[0-9]{1,4})+)|" +
        "cuda:(?:all|[0-9]{1,4}(?:#[0-9]{1,4})?(?:,[0-9]{1,4}(?:#[0-9]{1,4})?)*)",
        "auto, cpu:N (1 to 1024 slots), cpu:0,2, cuda:all, cuda:0,1, \"cuda:0#0,0#1\" or none")]
    public required string Devices { get; init; }

    [Setting("node.threads-per-device", 0, """
        Threads of one CPU device; 0 for all cores where node.devices is auto, else one. The weights do not depend on it.
        """, PartOfAnswer = false)]
    [Between(0, 1024, Zero = "all cores, or one thread each")]
    public required int ThreadsPerDevice { get; init; }

    [Setting("node.labels", null, """
        Labels of this node, with commas between them, e.g. big,zone=b: runs that need some (run.needs) are computed where all of these are.
        """, PartOfAnswer = false)]
    [Matches(Settings.Labels.Pattern, Settings.Labels.Use)]
    public required string? Labels { get; init; }

    [Setting("node.zero", 1, """
        Stage of ZeRO (Rajbhandari et al. 2020) in a replica that several CPU devices compute together. 1: they share one copy of parameters
        and moments, of which each updates its slice. 2: each keeps sums of its slice of the gradient only, too, and reduces each pass's
        gradient with the others part by part, as it is made: less memory, more exchanged between them. For CPU devices; GPUs have
        node.split. The weights do not depend on it.
        """, PartOfAnswer = false)]
    [Between(1, 2)]
    public required int Zero { get; init; }

    [Setting("node.split", "none", """
        How a replica's model is split over devices of this node. pipeline:2 cuts it into 2 stages of consecutive layers: each of 2
        devices holds the activations of its stage only, and micro-batches go through one after another. tensor:2 shares each layer between
        2 devices, which compute each micro-batch together. "tensor:2, pipeline:2" shares the layers of each of 2 stages between 2 devices,
        4 in all. pipeline:2x2 gives each stage 2 pieces of the network, one behind the other's: shorter waits, more activations. Where a
        replica has fewer devices, the largest split that fits counts. GPUs take pipelines only. For models that a device has no room for,
        and steps of fewer micro-batches than devices. The weights do not depend on it.
        """, PartOfAnswer = false)]
    [Split]
    public required string Split { get; init; }

    /// <summary>What <see cref="Split"/> says.</summary>
    public ReplicaSplit ReplicaSplit => ReplicaSplit.Parse(Split);

    [Setting("node.offload", OffloadMode.None, """
        file: what only the update of a replica reads (the moments, and in bf16 and fp16 the fp32 parameters) lies in files of the data
        directory, of which some MiB are in memory at a time; the next are read ahead. For models that memory has no room for, and a fast
        disk; of CPU devices only. The files have no name while they are in use, and are gone with the process. The weights do not depend
        on it.
        """, PartOfAnswer = false)]
    public required OffloadMode Offload { get; init; }

    [Setting("node.data-dir", "elastic-data", """
        Holds the journal, the blobs, the corpora and the runs. Relative to the current directory.
        """, PartOfAnswer = false, IsPath = true)]
    [NotEmpty("name a folder")]
    public required string DataDir { get; init; }

    [Setting("node.host", "127.0.0.1", """
        The address that the node binds, and by which others reach it. Loopback, because a run in one process has nobody to listen to; a
        node among several machines needs one that the others reach.
        """, PartOfAnswer = false)]
    [Host]
    public required string Host { get; init; }

    [Setting("node.port", 0, """
        The port of the control plane; 0 for any free one, so that two runs in two data directories never collide.
        """, PartOfAnswer = false)]
    [Between(0, 65535)]
    public required int Port { get; init; }

    [Setting("node.http-port", 0, """
        The port of the data plane, on which nodes fetch blobs from each other; 0 for any free one.
        """, PartOfAnswer = false)]
    [Between(0, 65535)]
    public required int HttpPort { get; init; }

    [Setting("node.pbm-port", 0, "The port on which a seed answers pbm; 0 for any free one.", PartOfAnswer = false)]
    [Between(0, 65535)]
    public required int PbmPort { get; init; }

    [Setting("node.ops-port", null, """
        The port for probes and scrapers, which need no certificate: /healthz/live, /healthz/ready and /metrics over plain HTTP; 0 for any
        free one. Not given: there is none. Metrics want a token from other machines.
        """, PartOfAnswer = false)]
    [Between(0, 65535)]
    public required int? OpsPort { get; init; }

    [Setting("node.ops-token-file", null, """
        Holds the token that scrapers of other machines show (Authorization: Bearer): 64 hexadecimal digits in a file of mode 0600, as
        openssl rand -hex 32 makes them. Not given: ops-token in the data directory, which the node makes.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? OpsTokenFile { get; init; }

    [Setting("node.dashboard", true, """
        On seeds, and in elastic train at a terminal: serves the HTTP API and the dashboard (docs/dashboard.md). With certificates for who
        shows one, else for who has the token of pbm.
        """, PartOfAnswer = false)]
    public required bool Dashboard { get; init; }

    [Setting("node.dashboard-port", null, """
        The port of the HTTP API and the dashboard; 0 for any free one. Not given: 4090, or any free one where that is in use.
        """, PartOfAnswer = false)]
    [Between(0, 65535)]
    public required int? DashboardPort { get; init; }

    [Setting("node.dashboard-certificate", null, """
        On seeds: a certificate in PEM of an authority that browsers trust, a company's for example, with its intermediate certificates
        after it. The dashboard shows it in place of the seed's certificate of this cluster, and is encrypted where there is none, too. A
        renewed file is shown within seconds. Set node.public-url to an address with one of the certificate's names, e.g.
        https://lm.example:4090: other seeds' pages open that.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? DashboardCertificate { get; init; }

    [Setting("node.dashboard-key", null, """
        The key of node.dashboard-certificate, in PEM and not encrypted. Where others than its owner can read the file, the log says so.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? DashboardKey { get; init; }

    [Setting("node.public-url", null, """
        Where people reach the dashboard through a proxy or under another name than node.host, e.g. https://lm.example/elastic or
        https://lm.example:4090: requests for this host are served, too, and what stands before the paths may be there or be left out by
        the proxy. Other seeds' pages open this address.
        """, PartOfAnswer = false)]
    [Matches("https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?", "an address like https://lm.example/elastic",
        IsWebAddress = true)]
    public required string? PublicUrl { get; init; }

    [Setting("node.trusted-proxies", null, """
        Addresses of proxies, with commas between them, that say truly whom they ask for (X-Forwarded-For): for what commands.log says of
        where a request came from.
        """, PartOfAnswer = false)]
    [Matches("[0-9a-fA-F.:]{2,45}(?: *, *[0-9a-fA-F.:]{2,45}){0,31}", "addresses with commas between them")]
    public required string? TrustedProxies { get; init; }

    [Setting("node.webhook-file", null, """
        On seeds: holds an address, https://..., to which the supervising seed posts what somebody should know: a run that is finished, has
        failed or waits, a node in quarantine. A file, because such addresses are often secrets.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? WebhookFile { get; init; }

    [Setting("node.backup-store", null, """
        On seeds and in elastic train: s3://BUCKET/PREFIX of an S3-compatible store, to which the journal, each new checkpoint and the
        corpora are copied while runs go on; elastic restore --from is the way back. Each data directory has a prefix of its own.
        ?endpoint=URL names another store than AWS's; credentials come from the environment, the profile or the machine.
        """, PartOfAnswer = false)]
    [Matches("s3://.+", "s3://BUCKET/PREFIX")]
    public required string? BackupStore { get; init; }

    [Setting("node.certs", null, """
        The folder of this node's certificates, which elastic certs makes. Not given: certs in the data directory, if it is there. With
        certificates every connection is encrypted, and only holders of this cluster's certificates get any; without them the node binds
        loopback addresses only.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? Certs { get; init; }

    [Setting("node.security", "auto", """
        auto: certificates where there are some, else the loopback only. insecure: no certificates on any address, so that whoever reaches
        the ports controls the node: for networks that nobody else reaches.
        """, PartOfAnswer = false)]
    [OneOf("auto", Insecure)]
    public required string Security { get; init; }

    /// <summary>The value of <see cref="Security"/> that binds any address without certificates.</summary>
    public const string Insecure = "insecure";

    [Setting("node.database", null, """
        The seeds' journal: null for SQLite in the data directory; sqlite:PATH for a file that the seeds of one machine share;
        postgres://USER:PASSWORD@HOST:PORT/DATABASE, or ?password-file=PATH at its end, for seeds on several machines. Workers need none.
        """, PartOfAnswer = false)]
    public required string? Database { get; init; }

    [Setting("node.network", "lan", """
        How soon silence is taken for death: lan, cloud or spot. See docs/cluster.md and hocon/network/*.conf for what each costs. The
        same on all nodes.
        """, PartOfAnswer = false)]
    [OneOf("lan", "cloud", "spot")]
    public required string Network { get; init; }

    [Setting("node.leave-budget", 0, """
        Seconds that a node which is asked to leave may take to hand its work over; what nobody has taken by then is computed again. 0: 12
        on the network preset spot, where machines are taken away soon after the notice, else 60. The end of the process takes some seconds
        more.
        """, PartOfAnswer = false)]
    [Between(0, 86400, Zero = "12 s on spot, else 60 s")]
    public required int LeaveBudget { get; init; }

    /// <summary>What <see cref="LeaveBudget"/> comes to.</summary>
    public TimeSpan LeaveWithin => TimeSpan.FromSeconds(LeaveBudget > 0 ? LeaveBudget : Network == "spot" ? 12 : 60);

    [Setting("node.log-format", "text", """
        text: lines for people. json: an object a line, in log.txt, in node.log and in what the process prints, for programs that collect
        logs. The files are put aside at 8 MiB either way.
        """, PartOfAnswer = false)]
    [OneOf("text", JsonLogs)]
    public required string LogFormat { get; init; }

    /// <summary>The value of <see cref="LogFormat"/> for programs.</summary>
    public const string JsonLogs = "json";

    [Setting("node.corpora-dir", null, """
        Built corpora, when not in the data directory: name a disk that all nodes see, and nobody has to fetch shards.
        """, PartOfAnswer = false, IsPath = true)]
    public required string? CorporaDir { get; init; }

    [Setting("node.corpus-roots", new string[0], """
        Folders of this machine below which nodes may read for a corpus that another node builds: a disk that all of them see, for example.
        Links are resolved first. What lies elsewhere is fetched from the node that builds. A manifest's paths may name what is below them:
        NODE:/PATH. Not given: none.
        """, PartOfAnswer = false, IsPath = true)]
    public required IReadOnlyList<string> CorpusRoots { get; init; }
}
