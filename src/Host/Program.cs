// The elastic executable: parses the command line, runs one command, turns the result into an exit code.
using Elastic.Host.Commands;

return await ElasticCommandLine.RunAsync(args, Console.Out, Console.Error);
