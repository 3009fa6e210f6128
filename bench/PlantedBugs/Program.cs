// Plants the bugs of AllBugs.cs one at a time in a copy of the repository, and says what finds each: a simulated run (which seed of which
// scenario), else a test of tests/Coordination. Exit code 1 when something finds nothing.
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.PlantedBugs;

var (seeds, names) = (500, new List<string>());
for (var i = 0; i < args.Length; i++)
{
    if (args[i] == "--seeds" && i + 1 < args.Length && int.TryParse(args[i + 1], out var count) && count > 0)
        (seeds, i) = (count, i + 1);
    else if (!args[i].StartsWith('-'))
        names.Add(args[i]);
    else
        return Usage($"unknown option {args[i]}");
}

var bugs = AllBugs.List.Where(b => names.Count == 0 || names.Any(n => b.Name.Contains(n, StringComparison.OrdinalIgnoreCase))).ToList();
if (bugs.Count == 0)
    return Usage($"no bug is called {string.Join(", ", names)}");

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;                                                     // the copy is deleted first
    interrupted.Cancel();
};
var cancel = interrupted.Token;
try
{
    using var copy = new Repository();
    Console.WriteLine("building a copy of the repository");
    await copy.PrepareAsync(cancel);
    if (await FinderAsync(copy) is { } withoutAny)
        throw new InvalidOperationException($"without any bug: {withoutAny}");
    var unfound = 0;
    foreach (var bug in bugs)
    {
        var original = await copy.ReadAsync(bug.File, cancel);
        await copy.WriteAsync(bug.File, bug.PlantIn(original), cancel);
        var finder = await FinderAsync(copy);
        unfound += finder is null ? 1 : 0;
        Console.WriteLine($"{bug.Name}: {finder ?? "NOT FOUND"}");
        await copy.WriteAsync(bug.File, original, cancel);
    }

    Console.WriteLine($"{bugs.Count - unfound} of {bugs.Count} found, with {seeds} seeds of each scenario");
    return unfound == 0 ? 0 : 1;
}
catch (InvalidOperationException e)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}
catch (OperationCanceledException)
{
    return 130;
}

// Where the first violation is, by scenario; else the first test that fails.
async Task<string?> FinderAsync(Repository copy)
{
    var violations = Matches(await copy.SimulateAsync(seeds, cancel), @"^error: (?<scenario>[\w-]+), seed (?<seed>\d+):")
        .GroupBy(m => m.Groups["scenario"].Value, m => int.Parse(m.Groups["seed"].Value, CultureInfo.InvariantCulture))
        .Select(g => $"{g.Key} seed {g.Min()} ({g.Count()} of {seeds})").ToList();
    if (violations.Count > 0)
        return string.Join(", ", violations);
    var failed = Matches(await copy.TestAsync(cancel), @"Elastic\.Coordination\.Tests\.(?<test>\S+).*\[FAIL\]");
    return failed.Count == 0 ? null : $"{failed[0].Groups["test"].Value}{(failed.Count > 1 ? $" and {failed.Count - 1} more" : "")}";
}

static MatchCollection Matches(string said, [StringSyntax(StringSyntaxAttribute.Regex)] string pattern) =>
    Regex.Matches(
        said, pattern, RegexOptions.Multiline | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture, TimeSpan.FromMinutes(1));

static int Usage(string problem)
{
    Console.Error.WriteLine($"error: {problem}\nusage: PlantedBugs [--seeds COUNT] [PART-OF-A-NAME ...]");
    return 2;
}
