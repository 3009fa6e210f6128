using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>Runs commands against one seed, over one connection as long as it holds.</summary>
internal sealed class Session(Endpoint address, PbmConsole console, PbmDeadlines deadlines, Transport transport) : IAsyncDisposable
{
    private SeedConnection? _connection;
    private IReadOnlyList<PaletteHelp> _catalogue = [];

    public Endpoint Address => address;

    /// <summary>Runs one command or shows its help, and reports errors. Returns the exit code.</summary>
    public async Task<int> RunAsync(CommandLine line, CancellationToken cancel)
    {
        try
        {
            if (line.Help)
                return await HelpAsync(line.Words, cancel);
            var connection = await ConnectAsync(cancel);
            var end = await connection.CallAsync(
                new CallParser(_catalogue).Parse(line.Words, line.Json), console.WriteLine, cancel);
            console.WriteError(end.Error);
            return end.ExitCode;
        }
        catch (PbmException e)
        {
            return Tell(e, console);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
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
                Write(HelpText.OfPalettes(address, _catalogue));
            }
            catch (PbmException e)
            {
                Write(["", "The palettes are the seed's, and are listed here when it answers:", $"  {e.Message}"]);
            }

            return ExitCodes.Done;
        }

        await ConnectAsync(cancel);
        var (palette, command) = new CallParser(_catalogue).Find(words);
        Write(command is null ? HelpText.Of(palette) : HelpText.Of(palette, command));
        return ExitCodes.Done;
    }

    /// <summary>Reports an error to the person.</summary>
    public static int Tell(PbmException e, PbmConsole console)
    {
        console.WriteError(e.Message);
        if (e.See is { } see)
            console.Error.WriteLine($"see: {see}");
        return e.ExitCode;
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
        var connection = await SeedConnection.ConnectAsync(address, deadlines, transport, cancel);
        _connection = connection;
        _catalogue = await connection.CatalogueAsync(cancel);
        return connection;
    }

    private void Write(IEnumerable<string> lines)
    {
        foreach (var line in lines)
            console.WriteLine(line);
    }
}
