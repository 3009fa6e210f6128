using System.CommandLine;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Configuration;
using Elastic.Host.Generation;
using Elastic.Host.Serving;
using Elastic.Messages.Settings;

namespace Elastic.Host.Commands;

/// <summary><c>elastic serve</c>: answers clients of OpenAI's API with a run's newest checkpoint or a folder's model.</summary>
internal static class ServeCommand
{
    private const int DefaultPort = 8000;
    private const int MostParallel = 256;

    public static Command Build()
    {
        var host = new Option<string>("--host")
        {
            Description =
                "The address that is bound. Others than the loopback need certificates (clients then show one, too) or --insecure.",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var port = new Option<int>("--port")
        { Description = "0 for any free one.", HelpName = "PORT", DefaultValueFactory = _ => DefaultPort };
        var devices = new Option<string>("--devices")
        {
            Description = "auto, cpu:N (N slots of one thread), cpu:0,2, cuda:all, cuda:0,1 or cuda:0#0,0#1.",
            HelpName = "DEVICES",
            DefaultValueFactory = _ => "auto",
        };
        var parallel = new Option<int>("--parallel")
        {
            Description = "Texts that a device continues at once: more is slower for each and faster for all.",
            HelpName = "TEXTS",
            DefaultValueFactory = _ => new ServeLimits().Parallel,
        };
        var template = CommonOptions.ChatTemplate();
        var certs = CommonOptions.Certs();
        var insecure = new Option<bool>("--insecure")
        { Description = "Binds any address without certificates: whoever reaches the port can use the model." };
        var dataDir = CommonOptions.DataDir();

        var command = new TeachingCommand("serve",
            "Serves the newest checkpoint of a run, or the model of a folder, to clients of OpenAI's API: /v1/completions, "
            + "/v1/chat/completions and /v1/models (docs/serving.md).",
            """
            elastic serve --run tiny
            curl http://127.0.0.1:8000/v1/completions -H "Content-Type: application/json" -d '{"prompt": "Gets the", "max_tokens": 60}'
            elastic serve --run tiny --port 0 --parallel 64                          any free port, which is printed
            elastic serve --model ~/gpt2                                             published weights
            elastic serve --model ~/qwen                                             one that talks, by its own chat template
            elastic serve --run talks --chat-template chatml                         one of yours, by a template that you name
            """);
        var writer = new WriterOptions(command, "is served");
        foreach (var option in new Option[] { host, port, devices, parallel, template, certs, insecure, dataDir })
            command.Options.Add(option);
        command.SetAction(async (parsed, cancel) =>
        {
            List<string> problems = [];
            if (parsed.GetValue(port) is < 0 or > 65535)
                problems.Add($"--port {parsed.GetValue(port)}: use 0 (any free one) to 65535");
            if (parsed.GetValue(parallel) is < 1 or > MostParallel)
                problems.Add($"--parallel {parsed.GetValue(parallel)}: use 1 to {MostParallel}");
            if (Endpoint.ProblemOfHost(parsed.GetValue(host)!) is { } problem)
                problems.Add($"--host {parsed.GetValue(host)}: {problem}");
            if (parsed.GetValue(devices) == "none")
                problems.Add("--devices none: serving needs at least one, e.g. auto");
            // Checks the rule of node.devices; the defaults break no other rule.
            var node = NodeSettings.Defaults with { Devices = parsed.GetValue(devices)! };
            problems.AddRange(node.Problems().Select(p => $"{p} (--devices)"));
            if (problems.Count > 0)
                throw new SettingsException(problems);
            var output = parsed.InvocationConfiguration.Output;
            using var interruption = Interruption.Listen(
                () => Say("ending: texts that are under way have some seconds; once more to quit at once"), cancel);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel, interruption.Token);
            var request = new Request(
                () => writer.Load(parsed, dataDir, Say), parsed.GetValue(template), Endpoint.HostOf(parsed.GetValue(host)!),
                parsed.GetValue(port), parsed.GetValue(devices)!, new ServeLimits { Parallel = parsed.GetValue(parallel) },
                CommonOptions.CertificatesOf(parsed, certs, dataDir), parsed.GetValue(insecure));
            try
            {
                await ServeAsync(request, Say, ending.Token);
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                // Also while it started.
            }
            return ExitCodes.Done;

            void Say(string text)
            {
                lock (output)
                {
                    output.WriteLine(text);
                    output.Flush();
                }
            }
        });
        return command;
    }

    private static async Task ServeAsync(Request request, Action<string> say, CancellationToken cancel)
    {
        var devices = DeviceNames.Parse(request.Devices, "--devices");
        using var credentials = await CredentialsAsync(request, say, cancel);
        using var model = request.Load();
        model.RefuseMasked();
        if (model.Settings.ReadsPairs)
            throw new ElasticException(
                $"{model.Name} is a {model.Settings.Architecture}: it answers a whole text, and does not continue one; "
                + "use elastic generate");
        var chat = ModelChat.OrNone(model, request.ChatTemplate, say);
        using var engine = await InferenceEngine.StartAsync(
            model, devices, request.Devices == "auto" ? Environment.ProcessorCount : 1, request.Limits, say);
        await using var server = await ApiServer.StartAsync(
            request.Host, request.Port, model, chat, engine, request.Limits,
            credentials is null ? Transport.Plain : TlsTransport.ForPbm(credentials), TimeProvider.System, say, cancel);
        say($"serving {model.ServedName}, {(model.Round is { } round ? $"round {round}, " : "")}fingerprint {model.Fingerprint}");
        say($"on {(credentials is null ? "http" : "https")}://{server.Endpoint}/v1, devices {string.Join(", ", devices)}");
        await Task.Delay(Timeout.Infinite, cancel);
    }

    // On the loopback no certificates are asked for: existing clients have none, and no other machine gets there.
    private static async Task<Credentials?> CredentialsAsync(Request request, Action<string> say, CancellationToken cancel)
    {
        var files = request.Certificates;
        if (await NodeSecurity.IsLoopbackAsync(request.Host, cancel))
            return null;
        if (files.AreThere && request.IsInsecure)
            throw new ElasticException($"--insecure, and there are certificates in {files.Folder}: drop one of the two");
        if (files.AreThere)
        {
            var credentials = Credentials.OfNode(files, TimeProvider.System);
            credentials.Say = say;
            say($"mutual TLS as {credentials.Self}: clients show a certificate of role admin, reader or seed");
            return credentials;
        }
        if (!request.IsInsecure)
        {
            throw new ElasticException(
                $"--host {request.Host} is reached by other machines, and there are no certificates in {files.Folder}: make some with "
                + "elastic certs init, or start with --insecure where nobody else reaches this network");
        }
        say("INSECURE: no certificates, so whoever reaches this port can use the model (elastic certs init ends that)");
        return null;
    }

    private sealed record Request(
        Func<TextModel> Load, string? ChatTemplate, string Host, int Port, string Devices, ServeLimits Limits,
        CertificateFiles Certificates, bool IsInsecure);
}
