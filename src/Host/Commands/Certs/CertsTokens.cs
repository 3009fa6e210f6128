using System.CommandLine;
using System.Globalization;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Storage;

namespace Elastic.Host.Commands.Certs;

/// <summary><c>elastic certs token</c> and <c>join</c>: how a new machine, or a person, gets a certificate with one file.</summary>
internal static class CertsTokens
{
    private const int MostUses = 10_000;
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    /// <summary>What a certificate of the person at this machine is called.</summary>
    public static string PersonsName => Identity.IsName(Environment.UserName) ? Environment.UserName : "admin";

    public static Option<string> RoleOption() => new("--role")
    {
        Description = $"{Roles}: what the certificate allows.",
        HelpName = "ROLE",
        Required = true,
    };

    public static Option<string?> SeedOption(string description) => new("--seed") { Description = description, HelpName = "HOST:PORT" };

    /// <exception cref="SettingsException">It is no role.</exception>
    public static Role RoleOf(string text) => Identity.RoleOf(text)
        ?? throw new SettingsException([$"--role {text}: {EditDistance.Suggest(text, Enum.GetValues<Role>().Select(Identity.Text))}"]);

    /// <exception cref="SettingsException">It is no address.</exception>
    public static Endpoint SeedOf(string text) => Endpoint.TryParse(text, out var seed, out var problem)
        ? seed
        : throw new SettingsException([$"--seed {problem}, e.g. 10.0.0.5:{NodeOptions.DefaultPort}"]);

    /// <summary>A time as people type it: 90m, 24h, 7d.</summary>
    public static TimeSpan? DurationOf(string text)
    {
        if (text.Length < 2 || !int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || number > Longest.TotalMinutes)
            return null;
        TimeSpan? time = text[^1] switch
        {
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' => TimeSpan.FromDays(number),
            _ => null,
        };
        return time > TimeSpan.Zero && time <= Longest ? time : null;
    }

    private static string Roles => string.Join(", ", Enum.GetValues<Role>().Select(Identity.Text));

    public static Command Token()
    {
        var (certs, dataDir, role, addresses) = (
            CommonOptions.Certs(), CommonOptions.DataDir(), RoleOption(), CertsCommand.Addresses());
        var uses = new Option<int>("--uses")
        { Description = "How many machines may use it.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var expires = new Option<string>("--expires")
        {
            Description = "How long it can be used: minutes, hours or days, e.g. 90m, 24h, 7d.",
            HelpName = "TIME",
            DefaultValueFactory = _ => "24h",
        };
        var command = new TeachingCommand("token",
            "Prints a join token: whoever has it gets one certificate of its role from a seed. It also names the authority, so that a "
            + "machine that uses it trusts nobody else. Only its hash is kept.",
            """
            (umask 077; elastic certs token --role worker > token)          one worker, within a day
            (umask 077; elastic certs token --role worker --uses 8 --expires 1h > token)
            (umask 077; elastic certs token --role seed --address seed2.example > token)
            elastic certs token --role admin | ssh ada@laptop elastic certs join --seed 10.0.0.5:4053 --token-file -
            """)
        { role, uses, expires, addresses, certs, dataDir };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, wanted, count) = (
                CommonOptions.CertificatesOf(parsed, certs, dataDir), RoleOf(parsed.GetValue(role)!), parsed.GetValue(uses));
            List<string> problems = [];
            if (count is < 1 or > MostUses)
                problems.Add($"--uses {count.ToString(CultureInfo.InvariantCulture)}: use 1 to {MostUses}");
            if (DurationOf(parsed.GetValue(expires)!) is not { } lifetime)
            {
                problems.Add($"--expires {parsed.GetValue(expires)}: use minutes, hours or days, e.g. 90m, 24h, 7d, at most 30d");
                lifetime = default;
            }

            var names = CertificateNames.Join(parsed.GetValue(addresses)!, []);
            if (names.Count > 0 && wanted != Role.Seed)
                problems.Add($"--address: a {Identity.Text(wanted)}'s certificate has no names, only a seed's has: leave it out");
            if (problems.Count > 0)
                throw new SettingsException(problems);
            using var issuer = await Issuer.OpenAsync(files, TimeProvider.System, cancel);
            var token = issuer.NewToken(wanted, count, lifetime, names);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(token.ToText());
            var error = parsed.InvocationConfiguration.Error;
            await error.WriteLineAsync(
                $"this token gets {Units.Many(count, "certificate")} for the role {Identity.Text(wanted)} until "
                + $"{(DateTimeOffset.UtcNow + lifetime).UtcDateTime:yyyy-MM-dd HH:mm}Z from a seed that runs with {files.Folder}; "
                + "put it into a file there, and show it to nobody else:");
            await error.WriteLineAsync(wanted is Role.Worker or Role.Seed
                ? $"  elastic {Identity.Text(wanted)} --seed ADDRESS:{NodeOptions.DefaultPort} --host ITS-ADDRESS --token-file FILE"
                : $"  elastic certs join --seed ADDRESS:{NodeOptions.DefaultPort} --token-file FILE");
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command Join()
    {
        var (certs, dataDir) = (CommonOptions.Certs(), CommonOptions.DataDir());
        var seed = SeedOption("A seed that has the authority's key, by its control plane.");
        seed.Required = true;
        var tokenFile = CommonOptions.TokenFile();
        tokenFile.Required = true;
        var name = new Option<string?>("--name")
        {
            Description = "What a person is called. Default: the user's name. A node is called as its data directory says.",
            HelpName = "NAME",
        };
        var command = new TeachingCommand("join",
            "Gets a certificate with a join token, and starts nothing: for people who use pbm, and for nodes that are started later. "
            + "elastic worker and elastic seed do the same with --token-file when they start.",
            """
            elastic certs join --seed 10.0.0.5:4053 --token-file token                  in certs/ of the data directory
            elastic certs join --seed 10.0.0.5:4053 --token-file token --certs ~/certs  for pbm --certs ~/certs
            """)
        { seed, tokenFile, name, certs, dataDir };
        command.SetAction(async (parsed, cancel) =>
        {
            var (files, address) = (CommonOptions.CertificatesOf(parsed, certs, dataDir), SeedOf(parsed.GetValue(seed)!));
            var token = JoinToken.Read(
                parsed.GetValue(tokenFile)!, Console.In, parsed.InvocationConfiguration.Error.WriteLine);
            if (File.Exists(files.Of(token.Role).Certificate))
                throw new ElasticException(
                    $"{files.Of(token.Role).Certificate} is there already: elastic certs renew renews it while it counts; name "
                    + "another folder with --certs, or delete one that has expired or was revoked");
            var isNode = new Identity("", token.Role).IsNode;
            if (isNode && parsed.GetValue(name) is not null)
                throw new SettingsException([
                    $"--name: a {Identity.Text(token.Role)} is called as the file node-id in its data directory says; leave it out"]);
            var data = CommonOptions.OpenDataDirectory(parsed, dataDir);
            if (isNode)
                CertificateFiles.MakeFolder(data.Root);
            await JoinClient.AskAsync(
                address, token, isNode ? NodeIdentity.Load(new DataPaths(data.Root)).Value : parsed.GetValue(name) ?? PersonsName, files,
                parsed.InvocationConfiguration.Output.WriteLine, cancel);
            return ExitCodes.Done;
        });
        return command;
    }
}
