using Akka.Configuration.Hocon;

namespace Elastic.Host.Configuration;

/// <summary>Akka's HOCON parser, with errors that name the file.</summary>
internal static class HoconText
{
    /// <summary>Parses <paramref name="text"/>, called <paramref name="origin"/> in messages.</summary>
    public static HoconObject Parse(string text, string origin)
    {
        try
        {
            var root = Parser.Parse(text, _ => throw new SettingsException(
                $"{origin}: include is not supported; name both: --config gpt2-124m --config mine.conf")).Value;
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
}
