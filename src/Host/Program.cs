// The elastic executable: parses the command line, runs one command, turns the result into an exit code.
using Elastic.Foundation;
using Elastic.Host;
using Elastic.Host.Commands;
using Elastic.Host.Display;

// First of all: without file descriptors no further assembly can be loaded, and the message would be about that.
if (OpenFiles.Problem() is { } tooFew)
{
    Console.Error.WriteLine($"error: {tooFew}");
    return ExitCodes.Failed;
}

// A node, a run and a server go on where the reader of their lines has left, as where their terminal was closed.
if (args is not ["train" or "seed" or "worker" or "serve", ..])
    PipedOutputStream.Use();
#if TORCH
Elastic.Torch.TorchBackend.Register();
#endif
return await ElasticCommandLine.RunAsync(
    args, TerminalWriter.For(Console.Out, Console.IsOutputRedirected), TerminalWriter.For(Console.Error, Console.IsErrorRedirected));
