using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Elastic.Structure.Tests;

/// <summary>
/// The rows of deploy/gpu/check.sh, with a program in Elastic's place that answers at once: what they take for wrong, and how they end.
/// </summary>
public sealed partial class GpuCheckTests : IDisposable
{
    // Training tells a fingerprint and a loss; what a test gives comes before it.
    private const string Program = """
        #!/bin/bash
        run=; precision=fp32
        for word in "$@"; do
            [ "$before" != --run ] || run=$word
            case $word in run.precision=*) precision=${word#*=} ;; esac
            before=$word
        done
        fingerprint=$precision loss=2.5
        case $1:$run in
            doctor:*) echo "ok   torch: it loads"; exit ;;
            corpus:*) echo "each sample once"; exit ;;
            ANSWERS
        esac
        echo "{\"fingerprint\":\"$fingerprint\",\"trainLoss\":$loss,\"tokensPerSecond\":5}"
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-check-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public void A_row_that_finds_other_numbers_fails_and_the_others_run()
    {
        var (code, table) = Run(
            "*:speed-bf16) loss=10.7 ;; *:elsewhere) loss=2.53 ;; *:narrow-again | *:llama-fp16-again) fingerprint=other ;; " +
            "*:speed-fp32) loss=9.1 ;;",
            "\"$CHECK\" --cpu \"$FOLDER\"");
        Assert.Equal(1, code);
        Assert.Equal(
            [
                "GPT-2 124M in bf16, 1 at once 5 tokens/s, but nothing is learnt: loss 10.7",
                "GPT-2 124M in fp32, 1 at once 5 tokens/s, but loss 9.1 in fp32 and 10.7 in bf16: more than 10 % apart",
                "export opened by Transformers Transformers computes other logits",
                "llama-tiny twice in fp16 two fingerprints of one run: fp16 and other",
                "tiny on torch:2 loss 2.5 on cpu:2, 2.53 on torch:2: more than 1 % apart",
                "tiny twice in bf16 two fingerprints of one run: bf16 and other",
            ],
            table.Where(row => row.Verdict == "FAILED").Select(row => row.Text).Order(StringComparer.Ordinal));
        Assert.Equal(9, table.Count(row => row.Verdict == "ok"));
        Assert.Contains(("over", "NCCL between two processes it needs a GPU"), table);
    }

    [Fact]
    public void A_row_that_hangs_leaves_the_table_when_time_is_over_and_when_the_script_is_ended()
    {
        const string hangs = "*:speed-bf16) sleep 1000 & sleep 1000 ;;";
        var (code, table) = Run(hangs, "\"$CHECK\" --within 5 --cpu \"$FOLDER\"");
        // On a machine with time the row that hangs has begun by then.
        Assert.Equal(1, code);
        Assert.DoesNotContain(table, row => row.Verdict == "FAILED");
        Assert.Contains(
            table.Where(row => row.Verdict == "over"),
            row => row.Text.StartsWith("GPT-2 124M in bf16, 1 at once not done after ", StringComparison.Ordinal));
        Assert.Contains(("over", "audit of what was read no time left of 5 s (--within)"), table);

        (code, table) = Run(hangs, """
            "$CHECK" --cpu "$FOLDER" &
            timeout 60 sh -c 'until grep -q "^== GPT-2 124M in bf16" "$FOLDER/out"; do sleep 0.1; done'
            kill -TERM $!
            wait $!
            """);
        Assert.Equal(143, code);
        Assert.Contains(("ok", "elastic doctor libtorch loads"), table);
        Assert.Contains(table, row => row is ("ended", "GPT-2 124M in bf16, 1 at once"));
        Assert.Empty(Directory.GetDirectories(_folder));
    }

    [Fact]
    public void The_folder_is_removed_where_nobody_reads_what_the_script_writes()
    {
        var (code, _) = Run("*:speed-bf16) echo it hangs >&2; sleep 1000 ;;", """
            mkfifo "$FOLDER/pipe"
            # What .NET starts ignores the signal of a pipe without a reader, which a shell's programs do not.
            env --default-signal=PIPE "$CHECK" --cpu "$FOLDER" > "$FOLDER/pipe" 2>&1 &
            # Ends with that line, as tee does by Ctrl-C.
            sed '/^it hangs/q' "$FOLDER/pipe"
            kill -TERM $!
            wait $!
            """);
        Assert.Equal(143, code);
        Assert.Contains("it hangs", File.ReadLines(Path.Combine(_folder, "out")));
        Assert.Empty(Directory.GetDirectories(_folder));
    }

    [Fact]
    public void Rows_that_are_asked_for_run_and_words_of_no_row_are_said()
    {
        var (code, table) = Run("", "\"$CHECK\" --cpu --only \"in fp32\" --only audit --only NCCL \"$FOLDER\"");
        Assert.Equal(0, code);
        Assert.Equal(
            ["ok audit", "over NCCL", "over NCCL,", "ok GPT-2"], table.Select(row => $"{row.Verdict} {row.Text.Split(' ')[0]}"));
        (code, table) = Run("", "\"$CHECK\" --cpu --only nonsense \"$FOLDER\" 2>&1");
        Assert.Equal(1, code);
        Assert.Empty(table);
        Assert.Contains("check.sh: no row's name has the words of --only", File.ReadLines(Path.Combine(_folder, "out")));
    }

    // The rows of the table, without their seconds.
    private (int Code, IReadOnlyList<(string Verdict, string Text)> Table) Run(string answers, string commands)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a script for Linux");
        var program = Path.Combine(_folder, "elastic");
        File.WriteAllText(program, Program.Replace("ANSWERS", answers, StringComparison.Ordinal));
        // A machine's own python3 would decide which rows there are. This one has transformers, and finds fault with whatever it is given.
        File.WriteAllText(Path.Combine(_folder, "python3"), "#!/bin/sh\n[ \"$1\" = -c ]\n");
        var start = new ProcessStartInfo("bash", ["-c", $"chmod +x \"$FOLDER/python3\"\nexec > \"$FOLDER/out\"\n{commands}"]);
        start.Environment["CHECK"] = Path.Combine(Repository.Root, "deploy", "gpu", "check.sh");
        start.Environment["FOLDER"] = start.Environment["TMPDIR"] = start.Environment["ELASTIC_LIBTORCH"] = _folder;
        start.Environment["PATH"] = $"{_folder}:{Environment.GetEnvironmentVariable("PATH")}";
        using var process = Process.Start(start)!;
        if (!process.WaitForExit(TimeSpan.FromMinutes(3)))
        {
            process.Kill(true);
            Assert.Fail("the script does not end");
        }
        var lines = File.ReadAllLines(Path.Combine(_folder, "out"));
        var table = lines.Skip(Array.FindLastIndex(lines, l => l.StartsWith("== ", StringComparison.Ordinal)) + 1)
            .Select(l => Row().Match(l)).Where(m => m.Success)
            .Select(m => (m.Groups["verdict"].Value, $"{m.Groups["name"].Value} {m.Groups["words"].Value}".TrimEnd()));
        return (process.ExitCode, [.. table]);
    }

    [GeneratedRegex(@"^(?<verdict>\S+) +(?<name>.*?) +(\d+ s  (?<words>.*))?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();
}
