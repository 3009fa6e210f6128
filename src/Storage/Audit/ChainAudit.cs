using System.Collections;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>
/// Proves from the journal and the shards which blocks a run consumed. The journal holds, for each replica and round, a digest of
/// the block ids and tokens that went into the model; the audit reads the shards again and recomputes all of them, the hash chain over the
/// rounds, and the count of each block; and it looks whether two nodes agreed on what was drawn to be computed twice.
/// </summary>
public sealed class ChainAudit
{
    private readonly IReadOnlyList<FoundCheckpoint> _checkpoints;
    private readonly RunSchedule _run;
    private readonly Lazy<IReadOnlyList<StreamWindow>> _windows;
    private readonly AuditedShards _shards;
    private readonly AuditProblems _problems = [];
    private readonly List<Checkpoint> _versions = [];                         // what a checkpoint says of each of them
    private readonly Dictionary<int, Digest> _committed = [];                 // by round: what it came to, also where it was given up
    private readonly DrawnResultsAudit _drawn;
    private readonly Dictionary<(string Changes, string Mixtures), RunSchedule> _segments = [];
    private RunState _state;
    private RunPlan _plan;

    private ChainAudit(
        RunId id, RunSchedule run, IReadOnlyList<FoundCheckpoint> checkpoints,
        AuditedShards shards)
    {
        (_run, _checkpoints, _shards, _state) = (run, checkpoints, shards, RunState.Empty(id));
        _plan = run.Plan;
        _versions.Add(Newest());
        _windows = new(() => StreamWindows.Of(run.Settings, run.Corpus));
        _drawn = new DrawnResultsAudit(run.Plan, _problems);
    }

    /// <summary>Audits a run whose corpus is in the data directory.</summary>
    /// <param name="events">All events of the run, oldest first.</param>
    /// <param name="checkpoints">Checkpoints that were there when the events were read.</param>
    /// <exception cref="ElasticException">There is no such run, or its corpus cannot be read.</exception>
    public static AuditReport Check(DataPaths paths, RunId id, IReadOnlyList<RunEvent> events,
        IReadOnlyList<FoundCheckpoint> checkpoints, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(paths);

        if (events is not [RunEvent.RunStarted started, ..])
            throw new ElasticException(events.Count == 0
                ? $"the journal knows nothing of run {id}: name another one, or, where its folder {paths.Run(id)} is there, " +
                  "restore journal.db from a copy"
                : $"the journal of run {id} does not begin with its start: it was tampered with or damaged, " +
                  "restore journal.db from a copy");

        var corpus = Open(paths, started.Corpus);
        using var shards = new AuditedShards(corpus, AuditedShards.MostMapped);
        try
        {
            shards.OpenEach(cancel);
        }
        catch (ElasticException e)
        {
            throw Unreadable(e);
        }
        var audit = new ChainAudit(id, new RunSchedule(started.Settings, corpus), checkpoints, shards);
        foreach (var e in events)
        {
            cancel.ThrowIfCancellationRequested();
            audit.Take(e);
        }

        return audit.Report(cancel);
    }

    private static BuiltCorpus Open(DataPaths paths, Digest id)
    {
        try
        {
            // A seed that did not build the corpus has fetched it.
            if (!BuiltCorpus.TryOpen(paths.FetchedCorpus(id), out var corpus) && !BuiltCorpus.TryOpen(paths.Corpus(id), out corpus))
                corpus = BuiltCorpus.FindGrowing(paths.Corpus(id), id) ?? BuiltCorpus.FindGrowing(paths.FetchedCorpus(id), id)
                    ?? BuiltCorpus.Open(paths.Corpus(id));
            return corpus;
        }
        catch (ElasticException e)
        {
            throw Unreadable(e);
        }
    }

    // The corpus may be lost here only.
    private static ElasticException Unreadable(ElasticException e) => new(
        $"{e.Message}; or fetch what is lacking from a node of the run that has it: the same command with --from HOST:PORT, the data plane "
        + "that the node names when it starts", e);

    private void Take(RunEvent e)
    {
        if (e is RunEvent.RoundCommitted c)
            CheckCommit(c);

        if (e is RunEvent.WindowAdded { Window: var window })
            CheckWindow(window);
        if (e is RunEvent.CheckpointTaken { Checkpoint: var taken } && !_state.IsOfNewest(taken))
            _problems.Add($"the journal's checkpoint of round {taken.Version} names other parameters, moments or counts than the run had "
                + $"after round {_state.Round}");
        if (e is RunEvent.RunFinished end && (end.Rounds, (Digest?)end.Fingerprint) != (_state.Round, _state.Fingerprint))
            _problems.Add($"the run ended after round {_state.Round} with another fingerprint, or another number of rounds, than it says");
        _state = Run.Apply(_state, e);
        switch (e)
        {
            // Who made the run longer decides which samples its later rounds read.
            case RunEvent.RunStarted or RunEvent.SettingsChanged or RunEvent.SegmentPlanned or RunEvent.CorpusCompleted:
                _plan = RunPlan.Of(_state);
                break;
            case RunEvent.RunInitialized when _state.Round == 0:
                _versions[0] = Newest();
                break;
            case RunEvent.RoundCommitted:
                _versions.Add(Newest());
                break;
            case RunEvent.RolledBack:
                _versions.RemoveRange(_state.Round + 1, _versions.Count - _state.Round - 1);
                if (_versions[^1].ChainHead != _state.ChainHead)
                    _problems.Add($"the run went back to round {_state.Round} with another hash chain than it had there");
                break;
        }
    }

    // Of the results that count: one that was found to be wrong, and replaced, disproves nothing.
    private void CheckSamples()
    {
        foreach (var r in _state.Finished.Values.Where(r => Samples(r.Round, r.Replica) != r.Samples))
            _problems.Add($"round {r.Round}, replica {r.Replica}: the journal's digest of the samples is not that of the corpus's blocks");
    }

    // What the run was told is finished is what the corpus has now.
    private void CheckWindow(CorpusWindow window)
    {
        var shards = _run.Corpus.TrainShards.Skip(_state.KnownShards).Take(window.Shards.Length).ToList();
        if (shards.Count < window.Shards.Length && _run.Corpus.IsGrowing)
            throw Unreadable(new ElasticException($"{_run.Corpus.ManifestPath} has {_run.Corpus.TrainShards.Count} shards, and the run "
                + $"reads {_state.KnownShards + window.Shards.Length}: wait until the corpus is built as far again"));
        if (window.Number != _state.Windows.Count)
            _problems.Add($"window {window.Number} of the corpus comes where window {_state.Windows.Count} is due");
        if (!shards.Select(s => s.Sha256).SequenceEqual(window.Shards)
            || window.Number < 0 || window.Number >= _windows.Value.Count || _windows.Value[window.Number].Samples != window.Blocks)
            _problems.Add($"window {window.Number} of the corpus has other shards, or another number of samples, than the journal says");
    }

    private void CheckCommit(RunEvent.RoundCommitted c)
    {
        CheckSamples();
        _drawn.Take(_state);
        if (c.Round != _state.Round)
            _problems.Add($"round {c.Round} was committed where round {_state.Round} was due");
        if (_state.Finished.Count != _plan.ReplicasAt(c.Round))
            _problems.Add($"round {c.Round} was committed with {_state.Finished.Count} of {_plan.ReplicasAt(c.Round)} replicas");
        if (c.TokensSeen != _plan.TokensBefore(c.Round + 1))
            _problems.Add($"round {c.Round}: {c.TokensSeen} tokens are counted where there were {_plan.TokensBefore(c.Round + 1)}");
        if (!_committed.TryAdd(c.Round, c.Version) && _committed[c.Round] != c.Version)
            _problems.Add($"round {c.Round} came to version {_committed[c.Round].Short} before the run went back, and then to " +
                          $"{c.Version.Short}: a node computed wrongly and was not audited");
        var (head, results) = (
            HashChain.Before(c.Round, _state.ChainHead, _state.Changes), _state.Finished.Values.Select(HashChain.Of));
        if (c.ChainHead != HashChain.Append(head, results, c.Version, _state.WindowsOf(_plan)))
            _problems.Add($"round {c.Round}: the chain of digests is broken");
    }

    private AuditReport Report(CancellationToken cancel)
    {
        CheckSamples();
        var files = new CheckpointAudit(_state, _versions, version => ScheduleOf(Math.Max(0, version - 1)).Settings);
        foreach (var problem in _checkpoints.Select(found => files.Problem(found, cancel)).OfType<string>())
            _problems.Add(problem);
        var samples = _plan.Timeline.SamplesBefore(_state.Round);
        if (_plan.Streams && samples > _state.KnownBlocks && _state.KnownBlocks != _state.Blocks)
            _problems.Add($"{samples} samples were consumed where the windows that the journal names have {_state.KnownBlocks}");
        // Where every digest fits, the blocks that were consumed are those of the plan.
        var (epochs, sources) = ScheduleOf(Math.Max(0, _state.Round - 1)).Order switch
        {
            MixtureChanges changed =>
                (ChangedMixtureAudit.Epochs(changed, samples), ChangedMixtureAudit.Count(changed, samples, _problems, cancel)),
            // Nothing of what is built has a sample yet.
            WindowMixture { Samples: 0 } => ([], []),
            WindowMixture mixture => (MixtureAudit.Epochs(mixture, samples),
                MixtureAudit.CountShards(mixture, _run.Corpus.TrainShards, samples, _problems, cancel)),
            MixtureOrder mixture => (MixtureAudit.Epochs(mixture, samples),
                MixtureAudit.Count(mixture.Sources, mixture.BlockAt, samples, _problems, cancel: cancel)),
            _ => (CountBlocks(samples, cancel), []),
        };
        return new AuditReport(_state.Round, samples, _state.TokensSeen, [.. epochs], _drawn.Report(_state.Round), _problems)
        {
            Sources = sources,
            Changes = [.. _plan.Changes.Where(c => c.FromRound < _state.Round)],
        };
    }

    private Checkpoint Newest() => new(
        _state.Round, _state.Version ?? default, _state.Fingerprint ?? default, [.. _state.InnerStates], _state.TokensSeen,
        _state.ChainHead, "");

    // Whose mixture, and whose order of samples, may be another from a round on.
    private RunSchedule ScheduleOf(int round)
    {
        var segment = _plan.At(round);
        var key = (segment.Changes, segment.Mixtures);
        return _segments.TryGetValue(key, out var known) ? known : _segments[key] = _run.In(segment.Changes, segment.Mixtures);
    }

    // Counts each block of each epoch.
    private IEnumerable<EpochCount> CountBlocks(long samples, CancellationToken cancel)
    {
        var blocks = _run.Train.Blocks;
        for (var epoch = 0L; epoch * blocks < samples; epoch++)
        {
            var (counted, end) = (epoch * blocks, Math.Min(samples, (epoch + 1) * blocks));
            foreach (var stretch in BlockStretch.Of(blocks))
            {
                var seen = new BitArray(stretch.Length);
                foreach (var (_, block) in stretch.Consumed(_run.Order.BlockAt, epoch * blocks, end, cancel))
                {
                    if (seen[stretch.PlaceOf(block)])
                        _problems.Add($"block {block} was consumed twice in epoch {epoch}");
                    seen[stretch.PlaceOf(block)] = true;
                    counted++;
                }
            }
            if (counted != end)
                _problems.Add($"{end - counted} samples of epoch {epoch} are no blocks of the corpus");

            yield return new EpochCount(epoch, end - epoch * blocks, blocks);
        }
    }

    private Digest Samples(int round, int replica)
    {
        var row = _run.Train.Cut.Length;
        var (segment, run) = (_plan.At(round), ScheduleOf(round));
        var samples = HashChain.Empty;
        for (var step = 0; step < segment.StepsOf(replica); step++)
        {
            var blocks = run.BlocksOf(segment, round, replica, step);
            var tokens = new int[blocks.Length * row];
            for (var i = 0; i < blocks.Length; i++)
            {
                var (shard, block) = _run.Train.Locate(blocks[i]);
                try
                {
                    _run.Train.Cut.Read(_shards[shard], block, tokens.AsSpan(i * row, row));
                }
                catch (ElasticException e)
                {
                    throw Unreadable(e);
                }
            }

            samples = HashChain.AppendStep(samples, SampleDigests.Of(blocks, tokens));
        }

        return samples;
    }
}
