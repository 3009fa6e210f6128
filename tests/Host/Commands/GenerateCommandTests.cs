using System.Text;
using Elastic.Host.Commands;
using Elastic.Host.Evaluation;
using Elastic.Host.Generation;
using Elastic.Host.Tests.Generation;
using Elastic.Model.Generation;

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

    [Fact]
    public async Task A_conversation_is_answered_by_its_template_and_without_one_the_command_says_what_to_name()
    {
        var answer = await Run("--prompt", "User: abc\nAssistant:", "--tokens", "9");
        Assert.Equal(answer["User: abc\nAssistant:".Length..], await Run(
            "--chat", "--chat-template", "plain", "--prompt", "abc", "--tokens", "9"));
        var file = Path.Combine(_folder, "asked.jsonl");
        await File.WriteAllTextAsync(file, """
            {"messages": [{"role": "user", "content": "abc"}]}

            {"messages": [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "d"}, {"role": "user", "content": "e"}]}
            """, TestContext.Current.CancellationToken);
        var answers = (await Run("--messages", file, "--chat-template", "plain", "--tokens", "9")).Split('\n');
        Assert.Equal(["User: abc\nAssistant:" + answers[0] + "\n", ""], [answer, answers[2]]);
        Assert.Equal(9, answers[1].Length);

        await File.WriteAllTextAsync(file, """{"messages": [{"role": "tool", "content": "x"}]}""", TestContext.Current.CancellationToken);
        Assert.Contains("--messages, line 1: message 1 has the role \"tool\"", await Refused(
            "--messages", file, "--chat-template", "plain"), StringComparison.Ordinal);
        Assert.Contains("letters has no chat template: say how conversations are written down for it, --chat-template plain", await Refused(
            "--chat", "--prompt", "abc"), StringComparison.Ordinal);
        Assert.Contains("--chat-template belongs to --chat or --messages", await Refused(
            "--prompt", "abc", "--chat-template", "plain"), StringComparison.Ordinal);
        Assert.Contains("--messages and --prompt are two questions", await Refused(
            "--prompt", "abc", "--messages", file), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_line_of_a_talk_is_answered_with_what_was_said_before_it()
    {
        using var model = LettersModel.Open(context: 256);
        var (output, asked) = (new StringWriter(), new SampleRequest("", 9, new SamplingSettings(Seed: 3)));
        var session = new ChatSession(model, ModelChat.Of(model, "plain")!, asked, output, Assert.Fail);
        using (var lines = new BoundedLines(new StringReader("abc\n\nd\n"), "input", "message"))
            session.Talk(lines, "", default);
        var answers = output.ToString().Split('\n');
        Assert.Equal(3, answers.Length);
        var second = new StringWriter();
        SampleText.Stream(
            model,
            asked with
            {
                PromptTokens = [.. Encoding.UTF8.GetBytes($"User: abc\nAssistant: {answers[0]}"), 256, .. "User: d\nAssistant:"u8],
            },
            (_, piece) => second.Write(piece), default);
        Assert.Equal(answers[1], second.ToString());
    }

    private async Task<string> Refused(params string[] options)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        Assert.NotEqual(ExitCodes.Done, await ElasticCommandLine.RunAsync(
            ["generate", "--run", LettersModel.Name, "--data-dir", _folder, .. options], output, error));
        return error.ToString();
    }

    private async Task<string> Run(params string[] options)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await ElasticCommandLine.RunAsync(
            ["generate", "--run", LettersModel.Name, "--data-dir", _folder, .. options], output, error);
        Assert.True(code == ExitCodes.Done, error.ToString());
        return output.ToString();
    }
}
