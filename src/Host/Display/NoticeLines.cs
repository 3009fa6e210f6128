using Spectre.Console;
using Spectre.Console.Rendering;

namespace Elastic.Host.Display;

/// <summary>
/// Notices above the live lines, folded at words. One with an address is written as it is: the terminal folds it itself, and it can be
/// copied from there in one piece.
/// </summary>
internal sealed class NoticeLines(IReadOnlyList<string> texts, Style style) : Renderable
{
    protected override IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => texts.SelectMany(text =>
        text.Contains("://", StringComparison.Ordinal)
            ? [new Segment(text, style), Segment.LineBreak]
            : ((IRenderable)new Text(text + "\n", style)).Render(options, maxWidth));
}
