using Elastic.Coordination;
using Elastic.Messages.Settings;

namespace Elastic.Storage;

/// <summary>
/// Draws again, by the secrets in the journal, which replicas' rounds two nodes were to compute, and looks whether they did and agreed. A
/// round that was computed again after a roll-back counts as it was done last.
/// </summary>
internal sealed class DrawnResultsAudit(RunPlan plan, ICollection<string> problems)
{
    private readonly SortedDictionary<int, Found> _rounds = [];
    private (string Text, double Rate) _settings = ("", 0);

    /// <summary>Looks at a round that is about to be committed.</summary>
    public void Take(RunState run)
    {
        var rate = RateOf(run.Settings!);
        if (rate == 0)
        {
            _rounds.Remove(run.Round);
            return;
        }

        if (run.AuditSecret is null)
        {
            _rounds[run.Round] = new Found(0, [], IsUnchecked: true);
            return;
        }

        var draw = plan with { AuditRate = rate };
        var drawn = run.Finished.Keys.Where(r => draw.Audits(run.AuditSecret, run.Round, r)).ToList();
        List<string> single = [];
        foreach (var replica in drawn)
        {
            var (quorum, what) = (run.QuorumOf(replica), $"round {run.Round}, replica {replica}");
            if (quorum.Winner is { } winner && winner != run.Finished[replica])
                problems.Add($"{what}: two nodes agree on another result than the one that counts");
            else if (quorum.IsDisputed)
                problems.Add($"{what}: nodes came to different results, and none was settled");
            else if (quorum.Winner is null)
                single.Add(what);
        }

        _rounds[run.Round] = new Found(drawn.Count, single, IsUnchecked: false);
    }

    /// <param name="rounds">Committed rounds: those above were given up.</param>
    public DrawnResults Report(int rounds)
    {
        var all = _rounds.Where(r => r.Key < rounds).Select(r => r.Value).ToList();
        return new DrawnResults(all.Sum(r => r.Drawn), [.. all.SelectMany(r => r.Single)], all.Count(r => r.IsUnchecked));
    }

    // The rate may change in the middle of a run.
    private double RateOf(string settings)
    {
        if (settings != _settings.Text)
            _settings = (settings, SettingsText.Read(settings).Run.AuditRate);
        return _settings.Rate;
    }

    private readonly record struct Found(int Drawn, IReadOnlyList<string> Single, bool IsUnchecked);
}
