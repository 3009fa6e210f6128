namespace Elastic.Pbm.Tests;

public sealed class LineEditorTests
{
    private readonly LineEditor _editor = new();

    public LineEditorTests() => _editor.Begin();

    [Fact]
    public void A_line_can_be_mended_in_the_middle()
    {
        Type("run lst");
        Press(ConsoleKey.LeftArrow, ConsoleKey.LeftArrow);
        Type("i");
        Assert.Equal(("run list", 6), (_editor.Text, _editor.Cursor));
        Press(ConsoleKey.Home, ConsoleKey.Delete, ConsoleKey.End, ConsoleKey.Backspace, ConsoleKey.RightArrow);
        Assert.Equal(("un lis", 6), (_editor.Text, _editor.Cursor));
    }

    [Fact]
    public void Earlier_lines_come_back_and_the_new_one_is_kept_meanwhile()
    {
        foreach (var line in new[] { "run list", "node list", "node list", "" })
            Enter(line);
        Type("clus");
        Press(ConsoleKey.UpArrow);
        Assert.Equal("node list", _editor.Text);
        Press(ConsoleKey.UpArrow, ConsoleKey.UpArrow);
        Assert.Equal("run list", _editor.Text);
        Press(ConsoleKey.DownArrow, ConsoleKey.DownArrow, ConsoleKey.DownArrow);
        Assert.Equal(("clus", 4), (_editor.Text, _editor.Cursor));
    }

    [Theory]
    [InlineData(ConsoleKey.U, "tch", 0)]
    [InlineData(ConsoleKey.K, "run wa", 6)]
    [InlineData(ConsoleKey.W, "run tch", 4)]
    [InlineData(ConsoleKey.A, "run watch", 0)]
    [InlineData(ConsoleKey.E, "run watch", 9)]
    [InlineData(ConsoleKey.D, "run wach", 6)]
    [InlineData(ConsoleKey.H, "run wtch", 5)]
    public void The_keys_of_a_shell_work(ConsoleKey key, string text, int cursor)
    {
        Type("run watch");
        Press(ConsoleKey.LeftArrow, ConsoleKey.LeftArrow, ConsoleKey.LeftArrow);
        Assert.Equal(LineEvent.Edited, Control(key));
        Assert.Equal((text, cursor), (_editor.Text, _editor.Cursor));
    }

    [Fact]
    public void The_end_of_the_input_needs_an_empty_line()
    {
        Type("a");
        Press(ConsoleKey.Home);
        Assert.Equal(LineEvent.Edited, Control(ConsoleKey.D));
        Assert.Equal(LineEvent.Ended, Control(ConsoleKey.D));
    }

    [Fact]
    public void Keys_at_the_ends_do_nothing()
    {
        Press(ConsoleKey.Backspace, ConsoleKey.Delete, ConsoleKey.LeftArrow);
        Press(ConsoleKey.RightArrow, ConsoleKey.UpArrow, ConsoleKey.DownArrow);
        Assert.Equal(("", 0), (_editor.Text, _editor.Cursor));
    }

    private void Enter(string line)
    {
        Type(line);
        Press(ConsoleKey.Enter);
        _editor.Begin();
    }

    private void Type(string text)
    {
        foreach (var c in text)
            _editor.Apply(Keys.Of(c));
    }

    private void Press(params ConsoleKey[] keys)
    {
        foreach (var key in keys)
            _editor.Apply(Keys.Of(key));
    }

    private LineEvent Control(ConsoleKey key) => _editor.Apply(Keys.Control(key));
}
