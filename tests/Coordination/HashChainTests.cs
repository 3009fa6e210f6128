using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

public sealed class HashChainTests
{
    [Fact]
    public void The_hash_chain_is_the_same_in_every_version_of_Elastic()
    {
        Assert.Equal(Sha("elastic ledger 1"), HashChain.Empty.Hex);
        Assert.Equal(
            Sha($"round {HashChain.Empty} {D("a")} {D("b")} {D("v")}"),
            HashChain.Append(HashChain.Empty, [D("a"), D("b")], D("v")).Hex);
        Assert.Equal(Sha($"step {HashChain.Empty} {D("a")}"), HashChain.AppendStep(HashChain.Empty, D("a")).Hex);
    }

    [Fact]
    public void Every_part_of_a_round_and_their_order_shows_in_the_hash_chain()
    {
        Digest[] heads =
        [
            HashChain.Append(HashChain.Empty, [D("a"), D("b")], D("v")), HashChain.Append(HashChain.Empty, [D("b"), D("a")], D("v")),
            HashChain.Append(HashChain.Empty, [D("a"), D("b")], D("w")), HashChain.Append(HashChain.Empty, [D("a")], D("v")),
            HashChain.Append(D("before"), [D("a"), D("b")], D("v")), HashChain.Append(HashChain.Empty, [D("a"), D("v")], D("b")),
        ];
        Assert.Equal(heads.Length, heads.Distinct().Count());
    }

    [Fact]
    public void Steps_are_chained_so_that_a_replica_can_be_handed_over_between_them()
    {
        var whole = HashChain.AppendStep(HashChain.AppendStep(HashChain.AppendStep(HashChain.Empty, D("1")), D("2")), D("3"));
        var handedOver = HashChain.AppendStep(HashChain.AppendStep(HashChain.Empty, D("1")), D("2"));
        Assert.Equal(whole, HashChain.AppendStep(handedOver, D("3")));
        Assert.NotEqual(whole, HashChain.AppendStep(HashChain.AppendStep(HashChain.AppendStep(HashChain.Empty, D("2")), D("1")), D("3")));
    }

    private static string Sha(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text)));
}
