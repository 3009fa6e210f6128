namespace Elastic.Pbm;

/// <summary>The lines of an input without keys of its own: a pipe's, or a simple terminal's.</summary>
internal sealed class InputLines(TextReader input)
{
    // A read cannot be taken back. What nobody waits for any more is the next line.
    private Task<string?>? _reading;

    /// <summary>The next line; null at the end of the input.</summary>
    /// <param name="cancel">Ends the wait, at once.</param>
    public async Task<string?> ReadAsync(CancellationToken cancel)
    {
        _reading ??= Task.Run(input.ReadLine, CancellationToken.None);
        var line = await _reading.WaitAsync(cancel);
        _reading = null;
        return line;
    }
}
