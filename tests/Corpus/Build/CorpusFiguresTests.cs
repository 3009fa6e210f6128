using System.Reflection;
using System.Text.Json;

namespace Elastic.Corpus.Tests.Build;

public class CorpusFiguresTests
{
    // No stage drops it.
    private const string GoodText = """
        Every morning the fishermen leave the harbour before anybody else in the village is awake.
        Their boats are small and made of wood that has seen many winters on this coast.
        An old woman sells bread to them at the gate, and she knows all of their names.
        When storms come from the north, nobody goes out until it is quiet again.
        Children have been told that a whale once slept inside the bay for three days.
        In spring, painters from distant towns arrive with brushes to be near such light.
        """;

    [Theory]
    [InlineData("recall", "4")]
    [InlineData("signatures", "300")]
    [InlineData("order", "100000")]
    public void The_benchmark_runs(string what, string size) => Assert.Equal(0, Run(what, size));

    [Fact]
    public void The_benchmark_of_stages_runs()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "notes.jsonl");
        File.WriteAllText(path, JsonSerializer.Serialize(new { text = GoodText }));
        Assert.Equal(0, Run("stages", path));
    }

    private static object? Run(params string[] arguments) =>
        Assembly.Load("Elastic.CorpusFigures").EntryPoint!.Invoke(null, [arguments]);
}
