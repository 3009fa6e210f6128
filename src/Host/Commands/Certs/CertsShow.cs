using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Display;
using Elastic.Host.Pbm;

namespace Elastic.Host.Commands.Certs;

/// <summary><c>elastic certs show</c>: the certificates of a folder, and where the authority's key is, all that was issued.</summary>
internal static class CertsShow
{
    public static Command Build()
    {
        var (certs, dataDir) = (CommonOptions.Certs(), CommonOptions.DataDir());
        var json = new Option<bool>(ElasticCommandLine.JsonName) { Description = "One JSON object." };
        var command = new TeachingCommand("show",
            "Shows this machine's certificates, the authority's fingerprint and what was revoked; where the authority's key is, also what "
            + "was issued, and which join tokens are open, with the names that a seed's gives. No secret is shown.",
            """
            elastic certs show
            elastic certs show --json | jq -r '.issued[] | select(.state == "valid") | .name'
            """)
        { json, certs, dataDir };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, now) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), DateTimeOffset.UtcNow);
            if (!File.Exists(files.Authority))
                throw new NotFoundException(NothingIn(files));
            using var authority = Read(files.Authority);
            var revoked = File.Exists(files.Revocations)
                ? Revocations.Read(await File.ReadAllTextAsync(files.Revocations, cancel), authority) : Revocations.None;
            using var issuer = files.CanIssue ? await Issuer.OpenAsync(files, TimeProvider.System, cancel) : null;
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                await output.WriteLineAsync(Json(files, authority, revoked, issuer, now).ToJsonString());
            else
                foreach (var line in Lines(files, authority, revoked, issuer, now))
                    await output.WriteLineAsync(line);
            return ExitCodes.Done;
        });
        return command;
    }

    public static string NothingIn(CertificateFiles files) =>
        $"there are no certificates in {files.Folder}: name another folder with --certs, make those of a new cluster (elastic certs init), "
        + "or get this machine's with a join token (elastic certs join)";

    public static string Day(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd}";

    /// <summary>What was issued and still counts.</summary>
    public static IEnumerable<IssuedCertificate> Counting(Issuer issuer)
    {
        var revoked = issuer.Revocations.Revoked;
        return issuer.Issued.Where(i => i.Expires > DateTimeOffset.UtcNow && !revoked.ContainsKey(i.Serial));
    }

    private static IEnumerable<string> Lines(
        CertificateFiles files, X509Certificate2 authority, Revocations revoked, Issuer? issuer, DateTimeOffset now)
    {
        yield return $"{files.Folder}{(files.CanIssue ? ", with the authority's key" : "")}";
        yield return $"authority    fingerprint {Issuer.FingerprintOf(authority).Short}, until "
            + Day(CertificateAuthority.EndOf(authority));
        if (Expiry.AuthoritysWarningOf(CertificateAuthority.EndOf(authority), now) is { } ending)
            yield return ending;
        foreach (var (path, certificate) in Own(files))
            using (certificate)
            {
                var (whose, ends) = (Subject(certificate), CertificateAuthority.EndOf(certificate));
                yield return $"{Path.GetFileName(path),-13}{whose}, serial {certificate.SerialNumber}, "
                    + State(certificate.SerialNumber, ends, revoked, now);
                if (!revoked.Revoked.ContainsKey(certificate.SerialNumber) && Expiry.WarningOf(whose, ends, now, files) is { } warning)
                    yield return warning;
            }

        if (issuer is null)
        {
            yield return $"revoked      {Units.Many(revoked.Revoked.Count, "certificate")}";
            foreach (var (serial, holder) in revoked.Revoked)
                yield return $"             {holder}, serial {serial}";
            yield break;
        }

        yield return "issued:";
        foreach (var line in Table.Lay(["NAME", "ROLE", "SERIAL", "ISSUED", "BY", "STATE"],
            [.. issuer.Issued.Select(i => (string[])
                [i.Name, i.Role, Short(i.Serial), Day(i.At), i.How, State(i.Serial, i.Expires, revoked, now)])]))
            yield return line;
        if (issuer.OpenTokens is { Count: > 0 } tokens)
        {
            yield return "open join tokens:";
            foreach (var line in Table.Lay(["HASH", "ROLE", ">LEFT", "EXPIRES IN"], [.. tokens.Select(t => (string[])
                [t.Hash.Short, Identity.Text(t.Role), $"{t.Left}", Expiry.InDays(t.Expires, now)])]))
                yield return line;
            // Whole, for who has the token is believed under each of them: a column would cut them.
            foreach (var token in tokens.Where(t => t.Names.Count > 0))
                yield return $"{token.Hash.Short} also gets the names {string.Join(", ", token.Names)}";
        }
        else
            yield return "no open join tokens: elastic certs token makes one";
    }

    private static JsonObject Json(
        CertificateFiles files, X509Certificate2 authority, Revocations revoked, Issuer? issuer, DateTimeOffset now)
    {
        var shown = new JsonObject
        {
            ["folder"] = files.Folder,
            ["authority"] = new JsonObject
            {
                ["fingerprint"] = Issuer.FingerprintOf(authority).Hex,
                ["expires"] = CertificateAuthority.EndOf(authority),
                ["hasKey"] = files.CanIssue,
            },
            ["own"] = new JsonArray([.. Own(files).Select(o => Entry(o.Path, o.Certificate, revoked, now))]),
            ["revocations"] = revoked.Number,
            ["revoked"] = new JsonArray([.. revoked.Revoked.Select(r => new JsonObject { ["serial"] = r.Key, ["holder"] = r.Value })]),
        };
        if (issuer is null)
            return shown;
        shown["issued"] = new JsonArray([.. issuer.Issued.Select(i => new JsonObject
        {
            ["name"] = i.Name, ["role"] = i.Role, ["serial"] = i.Serial, ["at"] = i.At, ["expires"] = i.Expires, ["how"] = i.How,
            ["state"] = Word(i.Serial, i.Expires, revoked, now),
        })]);
        shown["tokens"] = new JsonArray([.. issuer.OpenTokens.Select(t => new JsonObject
        {
            ["hash"] = t.Hash.Hex, ["role"] = Identity.Text(t.Role), ["left"] = t.Left, ["expires"] = t.Expires,
            ["names"] = new JsonArray([.. t.Names.Select(n => (JsonNode)n)]),
        })]);
        return shown;
    }

    private static JsonObject Entry(string path, X509Certificate2 certificate, Revocations revoked, DateTimeOffset now)
    {
        using (certificate)
        {
            var ends = CertificateAuthority.EndOf(certificate);
            return new JsonObject
            {
                ["file"] = path,
                ["subject"] = Subject(certificate),
                ["serial"] = certificate.SerialNumber,
                ["expires"] = ends,
                ["days"] = (int)(ends - now).TotalDays,
                ["state"] = Word(certificate.SerialNumber, ends, revoked, now),
            };
        }
    }

    private static IEnumerable<(string Path, X509Certificate2 Certificate)> Own(CertificateFiles files) =>
        new[] { files.Certificate, files.Admin }.Where(File.Exists).Select(path => (path, Read(path)));

    private static string Subject(X509Certificate2 certificate) => CertificateAuthority.IdentityOf(certificate)?.ToString() ?? "somebody";

    // Enough for elastic certs revoke.
    private static string Short(string serial) => serial[..Math.Min(12, serial.Length)];

    private static string Word(string serial, DateTimeOffset ends, Revocations revoked, DateTimeOffset now) =>
        revoked.Revoked.ContainsKey(serial) ? "revoked" : ends <= now ? "expired" : "valid";

    private static string State(string serial, DateTimeOffset ends, Revocations revoked, DateTimeOffset now) =>
        Word(serial, ends, revoked, now) is var word && word == "valid"
            ? $"valid until {Day(ends)} ({Expiry.InDays(ends, now)})" : word == "expired" ? $"expired on {Day(ends)}" : word;

    private static X509Certificate2 Read(string path)
    {
        try
        {
            return X509Certificate2.CreateFromPem(File.ReadAllText(path));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the certificate in {path} cannot be read ({e.Message}): see its mode and owner", e);
        }
    }
}
