using System.Text;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>
/// The chain of digests that ties every committed round to the samples it consumed and to all rounds before it.
/// </summary>
public static class Ledger
{
    /// <summary>The ledger before the first round, and a replica's samples before its first step.</summary>
    public static readonly Digest Empty = Digest.Of("elastic ledger 1"u8);

    /// <summary>The ledger after a round.</summary>
    /// <param name="samples">The replicas' sample digests, in replica order.</param>
    public static Digest Append(Digest ledger, IEnumerable<Digest> samples, Digest version) =>
        Digest.Of(Encoding.ASCII.GetBytes($"round {ledger} {string.Join(' ', samples)} {version}"));

    /// <summary>A replica's sample digest after one more step. Chained, so that it can be handed over in mid-round.</summary>
    public static Digest AppendStep(Digest samples, Digest step) => Digest.Of(Encoding.ASCII.GetBytes($"step {samples} {step}"));
}
