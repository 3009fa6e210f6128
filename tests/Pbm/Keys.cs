namespace Elastic.Pbm.Tests;

/// <summary>Keys as a terminal gives them.</summary>
internal static class Keys
{
    public static ConsoleKeyInfo Of(char c) => new(c, ConsoleKey.None, shift: false, alt: false, control: false);

    public static ConsoleKeyInfo Of(ConsoleKey key) => new('\0', key, shift: false, alt: false, control: false);

    public static ConsoleKeyInfo Control(ConsoleKey key) => new('\0', key, shift: false, alt: false, control: true);
}

/// <summary>A person who types a text, in which '\n' is Enter, '\t' Tab, '\u0003' Ctrl-C and '\u0004' Ctrl-D.</summary>
internal sealed class TypedKeyboard(string text) : IKeyboard
{
    private readonly Queue<char> _keys = new(text);

    public int Width { get; init; } = 80;

    public bool CtrlCIsKey { get; private set; }

    public void TakeCtrlC(bool asKey) => CtrlCIsKey = asKey;

    public ConsoleKeyInfo ReadKey()
    {
        Assert.True(CtrlCIsKey);
        return _keys.Dequeue() switch
        {
            '\n' => Keys.Of(ConsoleKey.Enter),
            '\t' => Keys.Of(ConsoleKey.Tab),
            '\u0003' => Keys.Control(ConsoleKey.C),
            '\u0004' => Keys.Control(ConsoleKey.D),
            var c => Keys.Of(c),
        };
    }
}
