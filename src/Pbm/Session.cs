using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>Runs commands against one seed, over one connection as long as it holds.</summary>
/// <param name="token">What each connection shows to the seed; null for nothing.</param>
internal sealed class Session(
    Endpoint address, PbmConsole console, PbmDeadlines deadlines, Transport transport, Func<string?> token) : IAsyncDisposable
{
    // A seed that is started again answers after a few seconds; one that moves, after ten.
    private static readonly Backoff Again = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(5));

    private SeedConnection? _connection;
    private bool _isKnown;
    private IReadOnlyList<PaletteHelp> _catalogue = OwnCatalogue.Palettes;

    public Endpoint Address => address;

    /// <summary>The palettes of the newest seed that answered; before one has, those that pbm knows itself.</summary>
    public IReadOnlyList<PaletteHelp> Catalogue => _catalogue;

    /// <summary>Runs one command or shows its help, and reports errors. Returns the exit code.</summary>
    /// <param name="isScript">The line is one of a file: it is given without the question whether it is meant.</param>
    public async Task<int> RunAsync(CommandLine line, CancellationToken cancel, bool isScript = false)
    {
        try
        {
            if (line.Help)
                return await HelpAsync(line.Words, cancel);
            if (!isScript && !await ConsentsAsync(line, cancel))
                return ExitCodes.Done;
            string? told = null;
            for (var (failures, isFirst) = (0, true); ; (failures, isFirst) = (failures + 1, false))
            {
                var lost = await CallAsync(line, isFirst, () => (failures, told) = (0, null), cancel);
                if (lost.Why is null)
                    return lost.ExitCode == ExitCodes.Done && await ConfirmedAsync(line, cancel) is { } confirmed
                        ? await RunAsync(confirmed, cancel) : lost.ExitCode;
                if (lost.Why != told)
                    console.Error.WriteLine($"{TerminalText.Printable((told = lost.Why).Split('\n')[0])}; trying again, Ctrl-C ends it");
                await Task.Delay(Again.After(failures), cancel);
            }
        }
        catch (PbmException e)
        {
            return Tell(e, console, line.Json);
        }
        catch (OperationCanceledException e) when (e is QuestionAbandonedException || cancel.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>Checks commands by the seed's catalogue, and reports all that is wrong with them; gives none of them.</summary>
    /// <param name="lines">Each with the place where it stands.</param>
    /// <returns>The exit code: 0 where nothing is wrong.</returns>
    public async Task<int> CheckAsync(IReadOnlyList<(string At, CommandLine Line)> lines, bool json, CancellationToken cancel)
    {
        try
        {
            await ConnectAsync(cancel);
        }
        catch (PbmException e)
        {
            return Tell(e, console, json);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }

        var (parser, problems) = (new CallParser(_catalogue, OwnCatalogue.Palettes), new List<string>());
        foreach (var (at, line) in lines.Where(l => l.Line.Words.Count > 0))
        {
            try
            {
                if (line.Help)
                    parser.Find(line.Words);
                else
                    parser.Parse(line.Words, line.Json);
            }
            catch (PbmException e)
            {
                problems.AddRange(e.Message.Split('\n').Select(problem => $"{at}: {problem}"));
            }
        }

        return problems.Count == 0 ? ExitCodes.Done : Tell(PbmException.Usage(string.Join('\n', problems), "pbm --help"), console, json);
    }

    /// <summary>Makes the call once.</summary>
    /// <param name="isFirst">A command that follows something is tried again only when it has been answered once.</param>
    /// <param name="onLine">Called for each line of the answer.</param>
    /// <returns>The exit code; or why the connection was lost, where the command is to be tried again.</returns>
    private async Task<(int ExitCode, string? Why)> CallAsync(CommandLine line, bool isFirst, Action onLine, CancellationToken cancel)
    {
        var isAnswered = !isFirst;
        var follows = !isFirst;
        try
        {
            var connection = await ConnectAsync(cancel);
            var parser = new CallParser(_catalogue, OwnCatalogue.Palettes);
            var call = parser.Parse(line.Words, line.Json);
            (isAnswered, follows) = (true, parser.Find(line.Words).Command!.Follows);
            using var files = parser.NewFolderOf(call) is { } place ? await FetchPlace.OpenAsync(place, cancel) : null;
            var end = await FetchAsync(connection, call, files, text =>
            {
                onLine();
                console.WriteLine(text);
            }, cancel);
            if (follows && end.ExitCode == ExitCodes.Unreachable)
                return (end.ExitCode, end.Error);
            if (end.Error.Length > 0)
                console.WriteError(end.Error, end.ExitCode, line.Json);
            else if (files is not null)
                return (await KeepAsync(files, end.ExitCode, line.Json, cancel), null);
            return (end.ExitCode, null);
        }
        catch (PbmException e) when (follows && isAnswered && e.ExitCode == ExitCodes.Unreachable)
        {
            return (e.ExitCode, e.Message);
        }
    }

    // What is wrong with the files ends the connection: the seed would go on sending.
    private async Task<PbmMessage.End> FetchAsync(
        SeedConnection connection, PbmMessage.Call call, FetchPlace? files, Action<string> show, CancellationToken cancel)
    {
        try
        {
            return await connection.CallAsync(call, show, cancel, files is null ? null : files.Add);
        }
        catch (PbmException) when (files is not null)
        {
            await DisposeAsync();
            _connection = null;
            throw;
        }
    }

    // Who stops it is told what is there, and how to go on.
    private async Task<int> KeepAsync(FetchPlace files, int exitCode, bool json, CancellationToken cancel)
    {
        try
        {
            if (exitCode == ExitCodes.Done)
                console.WriteLine(TextOf(await files.FinishAsync(console.Error.WriteLine, cancel), json));
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            exitCode = ExitCodes.Interrupted;
        }

        if (exitCode == ExitCodes.Interrupted)
            console.Error.WriteLine(files.WhatStays);
        return exitCode;
    }

    // The same command with what carries it out, where a person at a terminal says so; null where there is nothing to confirm.
    private async Task<CommandLine?> ConfirmedAsync(CommandLine line, CancellationToken cancel) =>
        MissingFlag(line, a => a.Confirms) is { } flag && await IsToldAsync("do it? [y/N] ", cancel)
            ? line with { Words = [.. line.Words, $"--{flag}"] } : null;

    // False where a person at a terminal does not want what cannot be undone. Scripts are not asked.
    private async Task<bool> ConsentsAsync(CommandLine line, CancellationToken cancel)
    {
        if (line.Json || !console.IsInteractive)
            return true;
        await ConnectAsync(cancel);
        return MissingFlag(line, a => a.IsConsent) is null
            || await IsToldAsync($"{string.Join(' ', line.Words)} cannot be undone. Do it? [y/N] ", cancel);
    }

    // The flag of that kind that the command has and the line has not; null for scripts, which nobody asks.
    private string? MissingFlag(CommandLine line, Func<ArgumentHelp, bool> isOfKind)
    {
        var parser = new CallParser(_catalogue, OwnCatalogue.Palettes);
        return line.Json || !console.IsInteractive || parser.Find(line.Words).Command?.Arguments.FirstOrDefault(isOfKind) is not { } flag
            || parser.Parse(line.Words, line.Json).Values.Any(v => v.Argument == flag.Long) ? null : flag.Long;
    }

    // Not on this thread: whoever presses Ctrl-C meanwhile has answered by that, and a signal ends the wait, too.
    private async Task<bool> IsToldAsync(string question, CancellationToken cancel)
    {
        question = TerminalText.Printable(question);
        string? told;
        if (console.Keyboard is { } keyboard)
        {
            told = await Task.Run(() => LineReader.Answer(question, keyboard, console.Output), CancellationToken.None).WaitAsync(cancel);
        }
        else
        {
            await console.Output.WriteAsync(question);
            await console.Output.FlushAsync(cancel);
            told = await console.Lines.ReadAsync(cancel);
        }

        return told?.Trim() is "y" or "Y" or "yes";
    }

    private static string TextOf((string Manifest, int Blobs, long Bytes, string Fingerprint) done, bool json) => json
        ? new JsonObject
        {
            ["checkpoint"] = done.Manifest,
            ["blobs"] = done.Blobs,
            ["bytes"] = done.Bytes,
            ["fingerprint"] = done.Fingerprint,
        }.ToJsonString()
        : $"{done.Manifest} is whole: {done.Blobs} blobs, {ByteSize.Text(done.Bytes)}, fingerprint {done.Fingerprint}";

    /// <summary>The names that an argument may have at the moment; none where the seed does not answer soon.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(NamesOf names)
    {
        using var deadline = new CancellationTokenSource(deadlines.Names);
        var found = new List<string>();
        try
        {
            var connection = await ConnectAsync(deadline.Token);
            await connection.CallAsync(
                new CallParser(_catalogue, OwnCatalogue.Palettes).Parse([names.Palette, names.Command], json: true),
                line =>
                {
                    if (JsonNode.Parse(line)?[names.Key] is JsonValue value && value.TryGetValue<string>(out var name))
                        found.Add(name);
                }, deadline.Token);
        }
        catch (Exception e) when (e is PbmException or OperationCanceledException or JsonException)
        {
            // Nothing is completed.
        }

        return found;
    }

    /// <summary>Explains a palette or a command; without words, explains pbm itself, and the palettes where a seed answers.</summary>
    private async Task<int> HelpAsync(IReadOnlyList<string> words, CancellationToken cancel)
    {
        if (words.Count == 0)
        {
            Write(HelpText.OfPbm());
            try
            {
                await ConnectAsync(cancel);
                Write(HelpText.OfPalettes(address.ToString(), _catalogue));
            }
            catch (PbmException e)
            {
                Write(HelpText.OfPalettes($"this pbm, version {SeedConnection.Version}", _catalogue));
                Write(["", "A seed that answers lists its own:", $"  {e.Message}"]);
            }

            return ExitCodes.Done;
        }

        string? away = null;
        try
        {
            await ConnectAsync(cancel);
        }
        catch (PbmException e)
        {
            away = e.Message;
        }

        var (palette, command) = new CallParser(_catalogue, OwnCatalogue.Palettes).Find(words);
        Write(command is null ? HelpText.Of(palette) : HelpText.Of(palette, command));
        if (away is not null)
            Write(["", $"This is the help of pbm {SeedConnection.Version} itself; a seed of another version may offer other commands:",
                $"  {away}"]);
        return ExitCodes.Done;
    }

    /// <summary>Reports an error to the person.</summary>
    public static int Tell(ElasticException e, PbmConsole console, bool json = false)
    {
        var (exitCode, see) = e is PbmException own ? (own.ExitCode, own.See) : (ExitCodes.Failed, null);
        console.WriteError(e.Message, exitCode, json);
        if (see is not null)
            console.Error.WriteLine($"see: {see}");
        return exitCode;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_connection is not null)
            await _connection.DisposeAsync();
    }

    // Each connection fetches the catalogue anew: a restarted seed may be of a newer version.
    private async Task<SeedConnection> ConnectAsync(CancellationToken cancel)
    {
        if (_connection is { IsUsable: true })
            return _connection;
        await DisposeAsync();
        _connection = null;
        var connection = await SeedConnection.ConnectAsync(address, deadlines, transport, token(), _isKnown, cancel);
        (_connection, _isKnown) = (connection, true);
        _catalogue = await connection.CatalogueAsync(cancel);
        return connection;
    }

    private void Write(IEnumerable<string> lines)
    {
        foreach (var line in lines)
            console.WriteLine(line);
    }
}
