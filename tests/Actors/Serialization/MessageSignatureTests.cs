using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Wire;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>Who may say what, where nodes have certificates.</summary>
public sealed class MessageSignatureTests : TemporaryFolder
{
    private const string Self = "elastic@10.0.0.5:4053", Other = "elastic@10.0.0.6:4053";
    private static readonly byte[] Message = [1, 2, 3, 4, 5];

    private readonly TestAuthority _authority;

    public MessageSignatureTests() => _authority = new TestAuthority(Path.Combine(Folder, "cluster"));

    [Fact]
    public void A_message_comes_with_who_has_signed_it()
    {
        using Credentials worker = Node("w1", Role.Worker), seed = Node("s1", Role.Seed);
        var (message, signer) = new MessageSignatures(seed).Open(new MessageSignatures(worker).Sign(Message, Self), Self);
        Assert.Equal(Message, message);
        Assert.Equal(new Identity("w1", Role.Worker), signer);
    }

    [Fact]
    public void Every_changed_or_missing_byte_is_found()
    {
        using Credentials worker = Node("w1", Role.Worker), seed = Node("s1", Role.Seed);
        var (signed, reader) = (new MessageSignatures(worker).Sign(Message, Self), new MessageSignatures(seed));
        for (var i = 0; i < signed.Length; i++)
        {
            var changed = signed.ToArray();
            changed[i] ^= 1;
            Assert.Throws<InvalidDataException>(() => reader.Open(changed, Self));
            Assert.Throws<InvalidDataException>(() => reader.Open(signed[..i], Self));
        }

        Assert.Throws<InvalidDataException>(() => reader.Open([.. signed, 0], Self));
    }

    // What comes of a message that whoever has got it sends again is in docs/security/akka.md, kind by kind.
    [Fact]
    public void A_message_of_any_kind_counts_with_whom_it_was_signed_for_and_with_nobody_else()
    {
        var codec = new WireCodec(typeof(WorkKind).Assembly);
        using Credentials worker = Node("w1", Role.Worker), seed = Node("s1", Role.Seed), receiver = Node("w2", Role.Worker);
        var (reader, samples) = (new MessageSignatures(receiver), new WireSamples());
        var signed = WireSamples.All.Where(t => t.IsAssignableTo(typeof(ISaidByNode)) || t.IsAssignableTo(typeof(ISaidBySeed)))
            .Select(t => (Type: t, Bytes: new MessageSignatures(t.IsAssignableTo(typeof(ISaidBySeed)) ? seed : worker)
                .Sign(codec.Write(samples.Make(t, bare: false)!), Self))).ToList();
        Assert.InRange(signed.Count, 20, 100);
        foreach (var (type, bytes) in signed)
        {
            Assert.Equal(type, codec.Read(reader.Open(bytes, Self).Message).GetType());
            Assert.EndsWith(
                $"for {Other}", Assert.Throws<InvalidDataException>(() => reader.Open(bytes, Other)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_signature_of_one_node_behind_the_certificate_of_another_is_found()
    {
        using Credentials liar = Node("w1", Role.Worker), other = Node("w2", Role.Worker), seed = Node("s1", Role.Seed);
        var forged = new MessageSignatures(liar).Sign(Message, Self);
        var certificate = other.CertificateBytes.ToArray();
        var end = 3 + liar.CertificateBytes.Length;
        byte[] stolen = [2, (byte)certificate.Length, (byte)(certificate.Length >> 8), .. certificate, .. forged[end..]];
        Assert.Equal($"the signature is not that of worker w2 for {Self}",
            Assert.Throws<InvalidDataException>(() => new MessageSignatures(seed).Open(stolen, Self)).Message);
    }

    [Fact]
    public void A_foreign_authority_signs_nothing_and_a_revoked_node_nothing_more()
    {
        using var stranger = new TestAuthority(Path.Combine(Folder, "others"));
        using var foreign = Credentials.OfNode(stranger.Issue("s1", Role.Seed), TimeProvider.System);
        using var seed = Node("s1", Role.Seed);
        var reader = new MessageSignatures(seed);
        Assert.Contains("has not issued",
            Assert.Throws<InvalidDataException>(() => reader.Open(new MessageSignatures(foreign).Sign(Message, Self), Self)).Message);
        var files = _authority.Issue("w1", Role.Worker);
        using var worker = Credentials.OfNode(files, TimeProvider.System);
        var signed = new MessageSignatures(worker).Sign(Message, Self);
        reader.Open(signed, Self);
        seed.Take(_authority.Revoke(files));
        Assert.Contains("which was revoked", Assert.Throws<InvalidDataException>(() => reader.Open(signed, Self)).Message);
    }

    [Fact]
    public void A_node_speaks_for_itself_only_and_a_worker_gives_no_orders()
    {
        var (seed, worker) = (new Identity("s1", Role.Seed), new Identity("w1", Role.Worker));
        var run = new RunId("tiny-00000000");
        var report = new NodeReport.RunIdle(new NodeId("w1"), run);
        MessageSignatures.Demand(report, worker);
        Assert.Equal("it speaks for w1, and seed s1 has signed it",
            Assert.Throws<InvalidDataException>(() => MessageSignatures.Demand(report, seed)).Message);
        foreach (object order in new object[]
        {
            new NodeCommand.DeleteRun(run), new NodeNews.Refused("go"), new RunReply.Refused(run.Name, "no"),
            new RunRequest.Stop(run.Name, new Origin("1", "w1", DateTimeOffset.UnixEpoch)),
        })
        {
            MessageSignatures.Demand(order, seed);
            Assert.Equal("only a seed says that, and worker w1 has signed it",
                Assert.Throws<InvalidDataException>(() => MessageSignatures.Demand(order, worker)).Message);
            Assert.Throws<InvalidDataException>(() => MessageSignatures.Demand(order, new Identity("ann", Role.Admin)));
        }

        MessageSignatures.Demand(new RunWatch.Look(run.Name), worker);
    }

    private Credentials Node(string name, Role role) => Credentials.OfNode(_authority.Issue(name, role), TimeProvider.System);
}
