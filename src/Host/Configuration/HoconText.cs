using System.Runtime.ExceptionServices;
using Akka.Configuration.Hocon;

namespace Elastic.Host.Configuration;

/// <summary>
/// Akka's HOCON parser, with errors that name the file. The parser is recursive and trusts its text, which <c>pbm</c> may have sent: what
/// would exhaust the stack, the memory or the time, and with it end the process and everybody's runs, is refused before it is parsed.
/// </summary>
internal static class HoconText
{
    /// <summary>A configuration has a few hundred lines.</summary>
    public const int MostCharacters = 128 << 10;

    // All that open anywhere, in comments and texts, too: nesting can not be deeper, however the text is read. There are ten blocks.
    private const int MostBrackets = 200;

    // A key is as deep as it has dots, and takes time with the square of them: 60,000 took 21 s. A list of thousands of files has as many.
    private const int MostDots = 8 << 10;

    // For the deepest text that these bounds allow; only what is used of it takes memory.
    private const int StackBytes = 64 << 20;

    /// <summary>Refuses a text that the parser is not to see.</summary>
    public static void Check(string text, string origin)
    {
        if (text.Length > MostCharacters)
            throw new SettingsException($"{origin}: it has {text.Length} characters; a configuration may have {MostCharacters}");
        if (text.AsSpan().Count('{') + text.AsSpan().Count('[') > MostBrackets)
            throw new SettingsException(
                $"{origin}: more than {MostBrackets} brackets open in it, comments included; a configuration needs ten or so");
        // A value that stands for itself, two for each other, or each for twice the one before: none is needed, each ends the process.
        if (text.Contains("${", StringComparison.Ordinal))
            throw new SettingsException($"{origin}: ${{NAME}} is not supported, not in comments either; write the value out");
        if (text.AsSpan().Count('.') is var dots and > MostDots)
            throw new SettingsException($"{origin}: it has {dots} dots, and at most {MostDots} are read; name folders instead of files");
    }

    /// <summary>Parses <paramref name="text"/>, called <paramref name="origin"/> in messages; to be checked before.</summary>
    public static HoconObject Parse(string text, string origin)
    {
        try
        {
            var root = Parsed(text, origin).Value;
            if (root.IsEmpty)
                return new HoconObject();
            return root.IsObject() ? root.GetObject() : throw new SettingsException($"{origin}: it holds no key = value");
        }
        catch (Exception e) when (e is not SettingsException)
        {
            throw new SettingsException(
                $"{origin} is not valid HOCON: "
                + $"{string.Join(' ', e.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))}", e);
        }
    }

    private static HoconRoot Parsed(string text, string origin)
    {
        HoconRoot? root = null;
        ExceptionDispatchInfo? failure = null;
        var parsing = new Thread(Parse, StackBytes) { IsBackground = true, Name = "hocon" };
        parsing.Start();
        parsing.Join();
        failure?.Throw();
        return root!;

        void Parse()
        {
            try
            {
                root = Parser.Parse(text, _ => throw new SettingsException(
                    $"{origin}: include is not supported; name both: --config gpt2-124m --config mine.conf"));
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        }
    }
}
