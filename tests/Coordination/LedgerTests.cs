using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

public sealed class LedgerTests
{
    [Fact]
    public void The_ledger_is_the_same_in_every_version_of_Elastic()
    {
        Assert.Equal(Sha("elastic ledger 1"), Ledger.Empty.Hex);
        Assert.Equal(
            Sha($"round {Ledger.Empty} {D("a")} {D("b")} {D("v")}"),
            Ledger.Append(Ledger.Empty, [D("a"), D("b")], D("v")).Hex);
        Assert.Equal(Sha($"step {Ledger.Empty} {D("a")}"), Ledger.AppendStep(Ledger.Empty, D("a")).Hex);
    }

    [Fact]
    public void Every_part_of_a_round_and_their_order_shows_in_the_ledger()
    {
        Digest[] ledgers =
        [
            Ledger.Append(Ledger.Empty, [D("a"), D("b")], D("v")), Ledger.Append(Ledger.Empty, [D("b"), D("a")], D("v")),
            Ledger.Append(Ledger.Empty, [D("a"), D("b")], D("w")), Ledger.Append(Ledger.Empty, [D("a")], D("v")),
            Ledger.Append(D("before"), [D("a"), D("b")], D("v")), Ledger.Append(Ledger.Empty, [D("a"), D("v")], D("b")),
        ];
        Assert.Equal(ledgers.Length, ledgers.Distinct().Count());
    }

    [Fact]
    public void Steps_are_chained_so_that_a_replica_can_be_handed_over_between_them()
    {
        var whole = Ledger.AppendStep(Ledger.AppendStep(Ledger.AppendStep(Ledger.Empty, D("1")), D("2")), D("3"));
        var handedOver = Ledger.AppendStep(Ledger.AppendStep(Ledger.Empty, D("1")), D("2"));
        Assert.Equal(whole, Ledger.AppendStep(handedOver, D("3")));
        Assert.NotEqual(whole, Ledger.AppendStep(Ledger.AppendStep(Ledger.AppendStep(Ledger.Empty, D("2")), D("1")), D("3")));
    }

    private static string Sha(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text)));
}
