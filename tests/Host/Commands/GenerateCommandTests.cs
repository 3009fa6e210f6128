using Elastic.Host.Commands;
using Elastic.Host.Tests.Generation;

namespace Elastic.Host.Tests.Commands;

public sealed class GenerateCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    public GenerateCommandTests() => LettersModel.Write(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_text_of_several_is_the_one_that_is_written_alone_and_the_others_differ()
    {
        var alone = (await Run("--prompt", "abc", "--tokens", "30")).TrimEnd('\n');
        Assert.Equal(33, alone.Length);
        var several = (await Run("--prompt", "abc", "--tokens", "30", "--count", "3")).Split('\n');
        Assert.Equal(["--- 1 of 3", alone, "", "--- 2 of 3"], several[..4]);
        Assert.Equal(3, several.Where(l => l.StartsWith("abc", StringComparison.Ordinal)).Distinct().Count());
    }

    [Fact]
    public async Task A_stop_string_ends_the_text_before_it()
    {
        var whole = (await Run("--tokens", "60")).TrimEnd('\n');
        var (first, second) = (whole.Substring(30, 3), whole.Substring(40, 3));
        var end = Math.Min(whole.IndexOf(first, StringComparison.Ordinal), whole.IndexOf(second, StringComparison.Ordinal));
        Assert.Equal(whole[..end] + "\n", await Run("--tokens", "60", "--stop", second, "--stop", first));
    }

    [Fact]
    public async Task A_repetition_penalty_makes_a_text_use_letters_that_it_has_not_used()
    {
        // All eight letters, where the likeliest is taken, before one comes again: a penalty of 4 outdoes all differences between them.
        var text = await Run("--prompt", "a", "--tokens", "7", "--temperature", "0", "--repetition-penalty", "4");
        Assert.Equal("abcdefgh\n".Order(), text.Order());
    }

    [Fact]
    public async Task A_text_may_grow_past_the_context() => Assert.Equal(101, (await Run("--tokens", "100")).Length);

    private async Task<string> Run(params string[] options)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await ElasticCommandLine.RunAsync(
            ["generate", "--run", LettersModel.Name, "--data-dir", _folder, .. options], output, error);
        Assert.True(code == ExitCodes.Done, error.ToString());
        return output.ToString();
    }
}
