using CsCheck;
using Elastic.Host.Generation;

namespace Elastic.Host.Tests.Generation;

public sealed class StopStringsTests
{
    [Fact]
    public void What_may_become_a_stop_string_is_held_back_until_it_is_decided()
    {
        var stop = new StopStrings(["\n\n", "END"]);
        Assert.Equal(["a", "b", "", "\nc", "", "", "ENx", ""], new[] { "a", "b", "\n", "c", "E", "N", "x", "\n" }.Select(stop.Add));
        Assert.Equal("", stop.Add("\nmore"));
        Assert.True(stop.IsStopped);
        Assert.Equal("", stop.Add("more") + stop.Complete());
    }

    [Fact]
    public void At_the_end_what_was_held_back_is_part_of_the_text()
    {
        var stop = new StopStrings(["END"]);
        Assert.Equal("a", stop.Add("aEN"));
        Assert.Equal("EN", stop.Complete());
        Assert.False(stop.IsStopped);
    }

    // Against a search at every character, on texts of few letters so that stop strings overlap.
    [Fact]
    public void Pieces_leave_no_trace() =>
        Gen.Select(
            Gen.String[Gen.Char["ab"], 0, 30], Gen.String[Gen.Char["ab"], 1, 4].Array[0, 3], Gen.Int[1, 5].Array[30])
        .Sample((text, stops, cuts) =>
        {
            var expected = text;
            for (var end = 1; end <= text.Length && expected.Length == text.Length; end++)
            {
                if (stops.Where(s => text[..end].EndsWith(s, StringComparison.Ordinal)).MaxBy(s => s.Length) is { } stop)
                    expected = text[..(end - stop.Length)];
            }
            var (filter, written) = (new StopStrings(stops), "");
            for (int at = 0, i = 0; at < text.Length; at += cuts[i++])
                written += filter.Add(text.Substring(at, Math.Min(cuts[i], text.Length - at)));
            Assert.Equal(expected, written + filter.Complete());
        });
}
