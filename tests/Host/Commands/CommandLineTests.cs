using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

/// <summary>Whole command lines, as far as they go without training.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Theory]
    [InlineData("trian")]
    [InlineData("train", "--sett", "a=b")]
    [InlineData("generate")]
    [InlineData("generate", "--run", "a", "--tokens", "many")]
    [InlineData("corpus", "audit")]
    [InlineData("corpus", "audit", "--run", "a", "--text", "b")]
    [InlineData("corpus", "show", "--document", "1", "--sample", "1")]
    [InlineData("corpus", "show", "--language", "de")]
    [InlineData("corpus", "show", "--random", "0")]
    [InlineData("corpus", "show", "--seed", "3")]
    [InlineData("corpus", "show", "--set", "model.context=16")]
    [InlineData("corpus", "show", "--text", "a", "--verify")]
    [InlineData("corpus", "audit", "--text", "a", "--from", "localhost:1")]
    [InlineData("corpus", "audit", "--text", "a", "--certs", "b")]
    [InlineData("corpus", "build", "--purge")]
    public async Task A_wrong_command_line_is_exit_code_2_and_points_to_the_help(params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run(args));
        Assert.Contains("error: ", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("--help", _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_output.ToString());
    }

    [Theory]
    [InlineData("train", "trian")]
    [InlineData("--corpus", "train", "--corpsu", "x")]
    [InlineData("audit", "corpus", "adit")]
    public async Task A_misspelt_command_or_option_names_the_nearest_one(string nearest, params string[] args)
    {
        await Run(args);
        Assert.Contains($"did you mean {nearest}?", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_configuration_is_exit_code_2_and_touches_nothing()
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run("train", "--set", "model.layer=2", "--data-dir", Path.Combine(_folder, "data")));
        Assert.Equal("error: unknown key model.layer (--set): did you mean model.layers?\n", _error.ToString());
        Assert.False(Directory.Exists(Path.Combine(_folder, "data")));
    }

    [Theory]
    [InlineData("--temperature", "-1")]
    [InlineData("--top-p", "0")]
    [InlineData("--top-k", "-1")]
    [InlineData("--tokens", "0")]
    [InlineData("--beams", "0")]
    [InlineData("--length-penalty", "-1")]
    [InlineData("--repetition-penalty", "0.5")]
    [InlineData("--count", "0")]
    public async Task A_sampling_option_out_of_range_is_named(string option, string value)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run("generate", "--run", "a", option, value, "--data-dir", _folder));
        Assert.StartsWith($"error: {option} {value}: use", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--port", "70000")]
    [InlineData("--parallel", "0")]
    [InlineData("--host", "0.0.0.0")]
    [InlineData("--devices", "none")]
    public async Task An_option_of_the_server_out_of_range_is_named(string option, string value)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run("serve", "--run", "a", option, value, "--data-dir", _folder));
        Assert.StartsWith($"error: {option} {value}: ", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_other_machines_reach_needs_certificates_or_a_word_that_it_is_meant()
    {
        Assert.Equal(ExitCodes.Failed, await Run("serve", "--run", "a", "--host", "192.0.2.1", "--data-dir", _folder));
        Assert.StartsWith("error: --host 192.0.2.1 is reached by other machines", _error.ToString(), StringComparison.Ordinal);
        await Run("serve", "--run", "a", "--host", "192.0.2.1", "--insecure", "--data-dir", _folder);
        Assert.StartsWith("INSECURE: ", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("generate")]
    [InlineData("serve")]
    [InlineData("corpus", "audit")]
    public async Task A_run_that_does_not_exist_is_exit_code_3(params string[] command)
    {
        Assert.Equal(ExitCodes.NotFound, await Run([.. command, "--run", "nobody", "--data-dir", _folder]));
        Assert.Contains("there is no run nobody", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("..")]
    [InlineData(" ")]
    public async Task Every_command_has_the_same_rule_for_the_name_of_a_run(string name)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run("generate", "--run", name, "--data-dir", _folder));
        Assert.StartsWith($"error: run.name = \"{name}\": use", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_corpus_at_all_is_exit_code_3() =>
        Assert.Equal(ExitCodes.NotFound, await Run("corpus", "show", "--data-dir", _folder));

    [Theory]
    [InlineData("train")]
    [InlineData("generate")]
    [InlineData("eval")]
    [InlineData("serve")]
    [InlineData("corpus")]
    [InlineData("doctor")]
    public async Task Help_teaches_with_examples(string command)
    {
        Assert.Equal(ExitCodes.Done, await Run(command, "--help"));
        Assert.Contains($"elastic {command}", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("Example", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train", "run.rounds = 40 ")]
    [InlineData("seed", "node.port = 4053 ")]
    [InlineData("worker", "node.port = 0 ")]
    public async Task Help_lists_the_settings_with_the_command_s_own_defaults(string command, string setting)
    {
        Assert.Equal(ExitCodes.Done, await Run(command, "--help"));
        Assert.Contains(setting, _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(command == "train", _output.ToString().Contains("optimizer.clip", StringComparison.Ordinal));
    }

    [Fact]
    public void A_defect_names_the_log_and_prints_no_stack_trace()
    {
        var log = Path.Combine(_folder, "log.txt");
        Assert.Equal(ExitCodes.Failed, ErrorReport.Write(new InvalidOperationException("boom"), _error, log));
        Assert.Contains(log, _error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("boom", File.ReadAllText(log), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancellation_that_nobody_asked_for_is_not_passed_off_as_an_interruption()
    {
        Assert.Equal(ExitCodes.Failed, ErrorReport.Write(new TaskCanceledException(), _error, Path.Combine(_folder, "log.txt")));
        Assert.StartsWith("error: unexpected TaskCanceledException", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(28, "No space left on device")]
    [InlineData(unchecked((int)0x80131620), "Failed to create 'a' with allocation size '7077888' because the disk was full.")]
    public void A_full_disk_is_named_with_its_remedy(int code, string message)
    {
        Assert.Equal(ExitCodes.Failed, ErrorReport.Write(new IOException(message, code), _error, "unused"));
        Assert.StartsWith("error: the disk is full", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("--data-dir", _error.ToString(), StringComparison.Ordinal);
    }

    private Task<int> Run(params string[] args) => ElasticCommandLine.RunAsync(args, _output, _error);
}
