namespace Elastic.Foundation.Tests;

public sealed class TerminalTextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\tb", "a\tb")]
    [InlineData("a\e]0;title\ab", "a\uFFFD]0;title\uFFFDb")]
    [InlineData("a\u009b2Jb\rc\u007f", "a\uFFFD2Jb\uFFFDc\uFFFD")]
    [InlineData("safe\u202Etxt.exe\u2066\u200F", "safe\uFFFDtxt.exe\uFFFD\uFFFD")]
    [InlineData("שלום 👩‍💻 é", "שלום 👩‍💻 é")]
    public void A_terminal_gets_nothing_to_obey(string text, string shown) => Assert.Equal(shown, TerminalText.Printable(text));
}
