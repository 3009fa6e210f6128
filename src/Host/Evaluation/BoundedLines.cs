using System.Text;
using Elastic.Foundation;

namespace Elastic.Host.Evaluation;

/// <summary>The lines of a file of UTF-8, none longer than there is reason for.</summary>
internal sealed class BoundedLines : IDisposable
{
    // A line is a sentence, a paragraph or a question.
    private const int MostCharacters = 1 << 20;

    private readonly TextReader _reader;
    private readonly string _path, _what;

    /// <summary>Lines from elsewhere than a file.</summary>
    /// <param name="path">What they are called in messages.</param>
    public BoundedLines(TextReader reader, string path, string what) => (_reader, _path, _what) = (reader, path, what);

    /// <summary>The lines that were read.</summary>
    public long Count { get; private set; }

    /// <param name="option">Where the file is named, e.g. "--pairs".</param>
    /// <param name="what">What the file is to be, e.g. "file of pairs".</param>
    /// <exception cref="NotFoundException">There is no such file.</exception>
    /// <exception cref="ElasticException">It cannot be read.</exception>
    public static BoundedLines Open(string path, string option, string what)
    {
        if (!File.Exists(path))
            throw new NotFoundException($"{option} {path}: there is no such file");
        try
        {
            return new BoundedLines(new StreamReader(path, Encoding.UTF8), path, what);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"{option} {path} cannot be read ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>The next line without its end; null at the end of the file.</summary>
    /// <exception cref="ElasticException">The line is too long.</exception>
    public string? Read()
    {
        if (_reader.Peek() < 0)
            return null;
        Count++;
        var line = new StringBuilder();
        for (int c; (c = _reader.Read()) >= 0 && c != '\n';)
        {
            if (line.Length == MostCharacters)
                throw new ElasticException($"{_path} has a line {Count} of more than {MostCharacters} characters: it is no {_what}");
            line.Append((char)c);
        }
        return line.ToString().TrimEnd('\r');
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();
}
