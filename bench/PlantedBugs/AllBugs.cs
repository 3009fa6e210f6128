namespace Elastic.PlantedBugs;

/// <summary>The bugs. Each stands for a kind of mistake; a change that moves an original moves it here, too (a test looks).</summary>
public static class AllBugs
{
    private const string Coordination = "src/Coordination/";

    public static IReadOnlyList<PlantedBug> List { get; } =
    [
        new("a version on one node only counts as safe", Coordination + "ClusterView.cs",
            "Math.Min(2, Math.Max(1, Staying.Count()))",
            "1"),
        new("sums of replaced results are taken", Coordination + "Work/Average.cs",
            "c.Inputs != run.AveragingInputs() => Decision.AlreadyDone,",
            "c.Round < 0 => Decision.AlreadyDone,"),
        new("lost results are not noticed", Coordination + "RunCoordinator.cs",
            "        var lost = Replication.Lost(Run, View);",
            "        CoordinatorCommand.LoseWork? lost = null;"),
        new("a newer order does not replace an older one", Coordination + "PendingResults.cs",
            "if (!isOther || !IsNewer(order.Id, known.Order.Id))",
            "if (true)"),
        new("the starting version of a result is not looked at", Coordination + "Run.cs",
            "        if (result.From != run.Version)",
            "        if (result.From != run.Version && result.Key.Number > 1000)"),
        new("doubtful sums survive a quarantine", Coordination + "Run.cs",
            "            Averaged = x.Chunks ? run.Averaged.Clear() : run.Averaged,",
            "            Averaged = run.Averaged,"),
        new("parts of two orders are mixed", Coordination + "MessageParts.cs",
            "|| !known.Id.Equals(id))",
            ")"),
        new("results of a released node count", Coordination + "RunCoordinator.Nodes.cs",
            "        : _released.Contains(result.Node) ? \"the node was released: what it has made since goes with it\"\n",
            ""),
        new("a rollback does not tell the fence", Coordination + "RunCoordinator.cs",
            "                _progress.Forget();\n                BeginTerm();",
            "                _progress.Forget();"),
        new("answers are not repeated", Coordination + "PendingResults.cs",
            "w => !_told.Add(w.Key)",
            "w => false"),
        new("inner states of one round are taken for the next", Coordination + "Run.cs",
            "        InnerStates = [.. run.Finished.Values.Select(r => r.InnerState)],",
            "        InnerStates = run.InnerStates.IsEmpty ? [.. run.Finished.Values.Select(r => r.InnerState)] : run.InnerStates,"),
        new("the first of two differing results wins", Coordination + "ResultQuorum.cs",
            "        if (!quorum.IsDisputed)\n" +
            "            return Decision.Store(new ReplicaConfirmed(run.Id, result, node));\n",
            "        if (!quorum.IsDisputed || true)\n" +
            "            return Decision.Store(new ReplicaConfirmed(run.Id, result, node));\n"),
        new("a hand-over outlives the result of its replica", Coordination + "Run.cs",
            "            HandedOver = run.HandedOver.Remove(x.Result.Replica),\n" +
            "            Quorums = Voted(run, x.Result, x.Node),",
            "            Quorums = Voted(run, x.Result, x.Node),"),
    ];
}
