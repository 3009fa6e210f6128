using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Storage;

namespace Elastic.Host.Commands.Certs;

/// <summary><c>elastic certs</c>: makes, hands out, renews, revokes and shows the certificates of a cluster.</summary>
internal static class CertsCommand
{
    public static Command Build() => new TeachingCommand("certs",
        "Makes, hands out, renews, revokes and shows the certificates of a cluster: with them every connection is encrypted, and whoever "
        + "merely reaches a port gets no further than the handshake.",
        """
        elastic certs init                                     once, on the first seed's machine: the authority, its seed, an admin
        (umask 077; elastic certs token --role worker > token) for each other machine; copy the file there, and then there:
        elastic worker --seed 10.0.0.5:4053 --token-file token the machine gets its certificate and joins
        elastic certs show                                     who has one, until when, and which tokens are open
        elastic certs revoke gpu7-3k9v2mq7                     this one counts no more
        elastic certs renew --seed 10.0.0.5:4053               on each machine, before its certificate expires
        """)
    { Init(), CertsTokens.Token(), CertsTokens.Join(), Node(), Renew(), Revoke(), CertsShow.Build() };

    private static TeachingCommand Init()
    {
        var (certs, dataDir, addresses) = (CommonOptions.Certs(), CommonOptions.DataDir(), Addresses());
        var command = new TeachingCommand("init",
            "Makes the authority of a new cluster, the certificate of this machine's seed, and that of an admin for pbm on this machine.",
            """
            elastic certs init                                 in elastic-data/certs, where elastic seed looks for them
            elastic certs init --data-dir /var/lib/elastic     for a seed with that data directory
            elastic certs init --address lm.example            browsers reach the seed under this name, too
            """)
        { certs, dataDir, addresses };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, data) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), CommonOptions.OpenDataDirectory(parsed, dataDir));
            CertificateFiles.MakeFolder(data.Root);
            var seed = new Identity(NodeIdentity.Load(new DataPaths(data.Root)).Value, Role.Seed);
            if (!Identity.IsName(seed.Name))
                throw new ElasticException(
                    $"the node's id {seed.Name} cannot stand in a certificate: delete the file node-id in {data.Root}, and "
                    + "another one is drawn");
            var admin = new Identity(CertsTokens.PersonsName, Role.Admin);
            var names = CertificateNames.Join(CertificateNames.OfMachine(), parsed.GetValue(addresses)!);
            using var issuer = await Issuer.CreateAsync(files, TimeProvider.System, cancel);
            foreach (var identity in new[] { seed, admin })
                Make(issuer, files, identity, CertificateAuthority.Validity, "certs init", identity == seed ? names : []);
            var options = CommonOptions.Typed(parsed, certs, dataDir);
            foreach (var line in new[]
            {
                $"made the certificates of a new cluster in {files.Folder}:",
                "  authority.key           signs certificates: whoever has it can make any. Keep a copy elsewhere, and show it to nobody",
                "  authority.pem           the authority's certificate, which every process has; its fingerprint is "
                    + issuer.Fingerprint.Short,
                $"  node.pem, node.key      {seed}, this machine's node, for {CertificateAuthority.Validity.TotalDays:0} days",
                $"  admin.pem, admin.key    {admin}, for pbm on this machine, for as long",
                "next:",
                $"  elastic seed --host ADDRESS{options}",
                $"  (umask 077; elastic certs token --role worker{options} > token)   for another machine: copy the file there, "
                    + "and there type",
                $"  elastic worker --seed ADDRESS:{NodeOptions.DefaultPort} --host ITS-ADDRESS --token-file token",
            })
                await parsed.InvocationConfiguration.Output.WriteLineAsync(line);
            return ExitCodes.Done;
        });
        return command;
    }

    private static TeachingCommand Node()
    {
        var (certs, dataDir, role, addresses) = (
            CommonOptions.Certs(), CommonOptions.DataDir(), CertsTokens.RoleOption(), Addresses());
        var name = new Argument<string>("NAME")
        { Description = "The node's id, which it takes at its first start, or what a person is called." };
        var to = new Option<string>("--out")
        { Description = "A folder for the files, to be copied to the other machine.", HelpName = "DIR", Required = true };
        var days = new Option<int>("--days")
        {
            Description = "How long the certificate is valid.",
            HelpName = "N",
            DefaultValueFactory = _ => (int)CertificateAuthority.Validity.TotalDays,
        };
        var command = new TeachingCommand("node",
            "Makes a key and a certificate in a folder that is copied to another machine: for clusters whose authority's key is on no "
            + "machine that runs Elastic. Where a seed has the key, a join token (elastic certs token) is simpler, and no key travels.",
            """
            elastic certs node gpu7 --role worker --out gpu7       copy gpu7/ to certs/ in the data directory of that machine
            elastic certs node ada --role admin --out ada          for pbm --certs
            """)
        { name, role, to, days, addresses, certs, dataDir };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, given) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), parsed.GetValue(days));
            var identity = new Identity(parsed.GetValue(name)!, CertsTokens.RoleOf(parsed.GetValue(role)!));
            if (given is < 1 or > 3650)
                throw new SettingsException([$"--days {given.ToString(CultureInfo.InvariantCulture)}: use 1 to 3650"]);
            var target = new CertificateFiles(Path.GetFullPath(parsed.GetValue(to)!));
            if (File.Exists(target.Of(identity.Role).Certificate) || File.Exists(target.Of(identity.Role).Key))
                throw new ElasticException($"{target.Folder} has a certificate already: name another folder with --out");
            WritePlace.Check(target.Folder, to.Name);
            var names = CertificateNames.Join(parsed.GetValue(addresses)!, []);
            using var issuer = await Issuer.OpenAsync(files, TimeProvider.System, cancel);
            Make(issuer, target, identity, TimeSpan.FromDays(given), "certs node", names);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(identity.IsNode
                ? $"made the certificate of {identity} in {target.Folder}: copy the folder to certs/ in the data directory of its machine, "
                    + "over a connection that nobody else reads, then delete it here"
                : $"made the certificate of {identity} in {target.Folder}: give the folder to {identity.Name}, over a connection that "
                    + "nobody else reads, for pbm --certs DIR, then delete it here");
            return ExitCodes.Done;
        });
        return command;
    }

    private static TeachingCommand Renew()
    {
        var (certs, dataDir, json, addresses) = (
            CommonOptions.Certs(), CommonOptions.DataDir(), CommandOutput.Option(), Addresses());
        var seed = CertsTokens.SeedOption(
            "A seed that has the authority's key, by its control plane. Not needed where the authority's key is in the folder.");
        var command = new TeachingCommand("renew",
            "Renews the certificates in the folder before they expire. A process that runs takes the new one by itself within seconds: "
            + "nothing is restarted, and no connection is closed.",
            """
            elastic certs renew --seed 10.0.0.5:4053           on a worker's machine
            elastic certs renew                                on the machine on which elastic certs init was done
            elastic certs renew --address lm.example           a seed's, with another name for browsers
            """)
        { seed, addresses, certs, dataDir, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, output) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), CommandOutput.Of(parsed, json));
            Role[] held = [.. new[] { Role.Worker, Role.Admin }.Where(r => File.Exists(files.Of(r).Certificate))];
            if (held.Length == 0)
                throw new NotFoundException(CertsShow.NothingIn(files));
            if (!files.CanIssue && parsed.GetValue(seed) is null)
                throw new SettingsException([
                    $"{files.Folder} has not the authority's key: name a seed that has it with --seed HOST:PORT"]);
            var more = CertificateNames.Join(parsed.GetValue(addresses)!, []);
            if (more.Count > 0 && !(held.Contains(Role.Worker) && await IsSeedsAsync(files, cancel)))
                throw new SettingsException([
                    $"--address: {files.Folder} holds no seed's certificate, and no other has names: leave it out"]);
            var certificates = new JsonArray();
            foreach (var kind in held)
            {
                if (files.CanIssue)
                    await RenewHereAsync(files, kind, more, cancel);
                else
                    await RenewThereAsync(CertsTokens.SeedOf(parsed.GetValue(seed)!), files, kind, more, cancel);
                using var renewed = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(files.Of(kind).Certificate, cancel));
                var ends = CertificateAuthority.EndOf(renewed);
                output.Say($"renewed {files.Of(kind).Certificate}: valid until {CertsShow.Day(ends)}");
                certificates.Add(new JsonObject { ["file"] = files.Of(kind).Certificate, ["expires"] = ends });
                if (CertificateFiles.OpennessOf(files.Of(kind).Key, $"speak in the name of {CertificateAuthority.IdentityOf(renewed)}")
                    is { } open)
                    await parsed.InvocationConfiguration.Error.WriteLineAsync(open);
            }

            if (CertificateFiles.OpennessOf(files.AuthorityKey, "make any certificate") is { } all)
                await parsed.InvocationConfiguration.Error.WriteLineAsync(all);

            if (more.Count > 0 && await WithoutAsync(files, more, cancel) is { Length: > 0 } without)
                throw new ElasticException(
                    $"renewed, but without {without}: over the network a seed gives no name but localhost, and no address but the one that "
                    + $"it is asked from. To get it, delete {files.Certificate} here, keep the key, and join anew with a token that has it "
                    + "(elastic certs token --role seed --address NAME, where the authority's key is)");
            output.Result(new JsonObject { ["renewed"] = certificates });
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task RenewHereAsync(CertificateFiles files, Role kind, IReadOnlyList<string> more, CancellationToken cancel)
    {
        var path = files.Of(kind).Certificate;
        using var issuer = await Issuer.OpenAsync(files, TimeProvider.System, cancel);
        using var present = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(path, cancel));
        CertificateFiles.WritePublic(path, issuer.Renew(present, "certs renew", NamesFor(present, more)));
    }

    private static async Task RenewThereAsync(
        Endpoint seed, CertificateFiles files, Role kind, IReadOnlyList<string> more, CancellationToken cancel)
    {
        using var credentials = kind == Role.Admin
            ? Credentials.OfPerson(files, TimeProvider.System) : Credentials.OfNode(files, TimeProvider.System);
        using var present = X509CertificateLoader.LoadCertificate(credentials.CertificateBytes.Span);
        await JoinClient.RenewAsync(seed, credentials, NamesFor(present, more), cancel);
    }

    private static async Task<bool> IsSeedsAsync(CertificateFiles files, CancellationToken cancel)
    {
        using var node = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(files.Certificate, cancel));
        return CertificateAuthority.IdentityOf(node)?.Role == Role.Seed;
    }

    // Those of the names that the seed's certificate has not got.
    private static async Task<string> WithoutAsync(CertificateFiles files, IReadOnlyList<string> names, CancellationToken cancel)
    {
        using var node = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(files.Certificate, cancel));
        return string.Join(", ", names.Except(CertificateNames.Of(node)));
    }

    // Certificates of seeds had none before: they get this machine's. People and workers serve no browser.
    private static IReadOnlyList<string> NamesFor(X509Certificate2 present, IReadOnlyList<string> more) =>
        CertificateAuthority.IdentityOf(present)?.Role != Role.Seed ? []
            : CertificateNames.Of(present).Count > 0 ? more : CertificateNames.Join(CertificateNames.OfMachine(), more);

    private static TeachingCommand Revoke()
    {
        var (certs, dataDir, json) = (CommonOptions.Certs(), CommonOptions.DataDir(), CommandOutput.Option());
        var whose = new Argument<string>("WHOSE")
        {
            Description = "A name, whose certificates all count no more; a serial number; or a join token's hash. "
                + "Of the last two the first eight digits do.",
        };
        var command = new TeachingCommand("revoke",
            "Says that a certificate counts no more, or withdraws a join token. A running seed with this folder notices it by itself, and "
            + "hands the list on to all nodes; connections to the holder are closed within seconds.",
            """
            elastic certs revoke gpu7-3k9v2mq7                 all certificates of that machine
            elastic certs revoke 5F0C81AA3E07                  one certificate, by its serial number
            elastic certs revoke 3f9ab2c07d11                  a join token (elastic certs show lists them)
            """)
        { whose, certs, dataDir, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, output) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), CommandOutput.Of(parsed, json));
            var text = parsed.GetValue(whose)!;
            using var issuer = await Issuer.OpenAsync(files, TimeProvider.System, cancel);
            var revoked = issuer.Revoke(text);
            foreach (var one in revoked)
                output.Say($"revoked {one.Role} {one.Name}, serial {one.Serial}, issued on {CertsShow.Day(one.At)} ({one.How}), "
                    + $"valid until {CertsShow.Day(one.Expires)}");
            var withdrawn = revoked.Count == 0 ? issuer.Withdraw(text) : [];
            foreach (var token in withdrawn)
                output.Say($"withdrew join token {token.Hash.Short} for a {Identity.Text(token.Role)}");
            if (revoked.Count + withdrawn.Count == 0)
                throw new NotFoundException(
                    $"no certificate that counts and no open join token is {text}: "
                    + EditDistance.Suggest(text, CertsShow.Counting(issuer).Select(i => i.Name).Distinct()));
            output.Result(new JsonObject
            {
                ["revoked"] = new JsonArray([.. revoked.Select(one => new JsonObject
                { ["name"] = one.Name, ["role"] = $"{one.Role}", ["serial"] = one.Serial, ["expires"] = one.Expires })]),
                ["withdrawn"] = CommandOutput.Texts(withdrawn.Select(token => token.Hash.Hex)),
            });
            return ExitCodes.Done;
        });
        return command;
    }

    internal static Option<string[]> Addresses() => new("--address")
    {
        Description = "Of a seed: a host name or an address under which browsers reach its dashboard; may be given several times. It is "
            + "given where the authority's key is, and nowhere else.",
        HelpName = "NAME",
        DefaultValueFactory = _ => [],
    };

    private static void Make(
        Issuer issuer, CertificateFiles files, Identity identity, TimeSpan validity, string how, IReadOnlyList<string> names)
    {
        var (certificate, keyPath) = files.Of(identity.Role);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // The key first: what is issued stays in the record, which refuses a second certificate of the name.
        CertificateFiles.MakeFolder(files.Folder);
        CertificateFiles.WriteSecret(keyPath, key.ExportPkcs8PrivateKeyPem());
        string pem;
        try
        {
            CertificateFiles.WritePublic(files.Authority, issuer.AuthorityPem);
            if (issuer.SignedRevocations is { } list)
                CertificateFiles.WritePublic(files.Revocations, list);
            pem = issuer.Issue(new PublicKey(key), identity, validity, how, names);
        }
        catch
        {
            File.Delete(keyPath);
            throw;
        }

        CertificateFiles.WritePublic(certificate, pem);
    }
}
