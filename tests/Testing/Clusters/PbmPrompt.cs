using System.Text.Json;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Pbm;

namespace Elastic.Testing;

/// <summary>
/// The real <c>pbm</c> with a pipe in place of a terminal: one process and one connection for command after command, as a script gives
/// them.
/// </summary>
/// <param name="address">Of the seed's pbm port.</param>
/// <param name="options">Without which the seed refuses it.</param>
public sealed class PbmPrompt(string address, IEnumerable<string> options) : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly ElasticProcess _pbm =
        new(new Launch("pbm.dll") { TakesInput = true }, [address, .. options, "--json"]);

    public ElasticProcess Process => _pbm;

    /// <summary>Starts another process, for one command.</summary>
    public static ElasticProcess Run(string address, IEnumerable<string> options, params string[] words) =>
        new(new Launch("pbm.dll"), [address, .. options, .. words, "--json"]);

    /// <summary>Gives a command, and reads its answer up to the line that is its last.</summary>
    /// <param name="command">As a person types it.</param>
    /// <param name="isLast">The object that ends the answer; null where the answer is one object.</param>
    /// <returns>That object.</returns>
    /// <exception cref="InvalidOperationException">The command failed, and why.</exception>
    public async Task<JsonElement> AskAsync(string command, Func<JsonElement, bool>? isLast = null)
    {
        await _pbm.WriteLineAsync(command);
        while (true)
        {
            var line = JsonDocument.Parse(await _pbm.ReadLineAsync(Deadline)).RootElement;
            if (line.TryGetProperty("error", out var error))
                throw new InvalidOperationException($"pbm {command}: {error.GetString()}");
            if (isLast?.Invoke(line) ?? true)
                return line;
        }
    }

    /// <summary>Ends the input: the process ends with the exit code of the last command.</summary>
    public Task<int> EndAsync()
    {
        _pbm.CloseInput();
        return _pbm.EndAsync();
    }

    /// <summary>
    /// Gives one call twice, under one id, as a client whose connection was lost before the answer came; each time over a connection of its
    /// own.
    /// </summary>
    /// <param name="certificates">The folder of the person's certificates.</param>
    /// <returns>Both exit codes.</returns>
    public static async Task<(int First, int Second)> GiveTwiceAsync(string address, string certificates, params string[] words)
    {
        using var own = Credentials.OfPerson(new CertificateFiles(certificates), TimeProvider.System);
        var call = new CallParser(OwnCatalogue.Palettes, OwnCatalogue.Palettes).Parse(words, json: true);
        return (await GiveAsync(), await GiveAsync());

        async Task<int> GiveAsync()
        {
            await using var connection = await SeedConnection.ConnectAsync(
                Endpoint.Parse(address), PbmDeadlines.Default, TlsTransport.ForPbm(own), token: null, isKnown: true,
                CancellationToken.None);
            return (await connection.CallAsync(call, _ => { }, CancellationToken.None)).ExitCode;
        }
    }

    public void Dispose() => _pbm.Dispose();
}
