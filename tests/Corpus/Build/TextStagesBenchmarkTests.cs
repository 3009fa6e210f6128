using System.Reflection;

namespace Elastic.Corpus.Tests.Build;

public sealed class TextStagesBenchmarkTests : IDisposable
{
    private const string Text = "Every morning the fishermen leave the harbour early, long before the sun is up over the sea.";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_benchmark_runs()
    {
        _folder.Write("manual.txt", Text);
        _folder.Write("pages/eng.html", $"<html><body><nav>menu</nav><p>{Text}</p></body></html>");
        _folder.Write("pages/rus.html", "<p>Каждое утро рыбаки рано выходят в море, задолго до того, как солнце поднимется над ним.</p>");
        var main = Assembly.Load("Elastic.TextStages").EntryPoint!;
        Assert.Equal(0, main.Invoke(null, [new[] { "main-text", _folder["manual.txt"], _folder["pages"] }]));
        Assert.Equal(0, main.Invoke(null, [new[] { "languages", _folder["pages"] }]));
    }
}
