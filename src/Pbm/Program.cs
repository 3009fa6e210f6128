// The pbm executable: one command line, or a prompt, against the seed that it names.
using Elastic.Foundation;
using Elastic.Pbm;

PipedOutputStream.Use();
using var interruption = new Interruption();
return await PbmCommandLine.RunAsync(
    args, Environment.GetEnvironmentVariable(SeedAddress.Variable),
    new PbmConsole(
        Console.In, Console.Out, Console.Error, IsInteractive: !Console.IsInputRedirected && !Console.IsOutputRedirected,
        Console.IsInputRedirected || Console.IsOutputRedirected || Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb"
            ? null : new ConsoleKeyboard()),
    interruption);
