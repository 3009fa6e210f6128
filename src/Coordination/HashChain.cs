using System.Globalization;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Coordination;

/// <summary>
/// The chain of digests that ties every committed round to what its replicas consumed and made, and to all rounds before it.
/// </summary>
public static class HashChain
{
    /// <summary>The hash chain before the first round, and a replica's sample digest before its first step.</summary>
    public static readonly Digest Empty = Digest.Of("elastic ledger 1"u8);

    /// <summary>The hash chain's digest with the changes of settings that begin with a round: what the round is chained to.</summary>
    public static Digest Before(int round, Digest chain, IEnumerable<SettingsChange> changes) =>
        changes.Where(c => c.FromRound == round).Aggregate(
            chain, (head, c) => Digest.Of(Encoding.UTF8.GetBytes($"change {head} {c.FromRound} {c.Settings}")));

    /// <summary>The hash chain's digest after a round.</summary>
    /// <param name="results">The replicas' results (see <see cref="Of"/>), in replica order.</param>
    /// <param name="windows">The windows of shards that the round was the first to read of, in their order.</param>
    public static Digest Append(Digest chain, IEnumerable<Digest> results, Digest version, params IEnumerable<Digest> windows) =>
        Digest.Of(Encoding.ASCII.GetBytes(
            $"round {chain} {string.Join(' ', results)} {version}{string.Concat(windows.Select(w => $" {w}"))}"));

    /// <summary>All of a replica's result in one digest. The loss counts by its bits.</summary>
    public static Digest Of(ReplicaResult r) => Digest.Of(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"replica {r.Round} {r.Replica} {r.Contribution} {r.InnerState} {r.Tokens} " +
        $"{BitConverter.DoubleToInt64Bits(r.LossNats)} {r.Samples}")));

    /// <summary>A replica's sample digest after one more step. Chained, so that a replica can be handed over inside a round.</summary>
    public static Digest AppendStep(Digest samples, Digest step) => Digest.Of(Encoding.ASCII.GetBytes($"step {samples} {step}"));
}
