using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;
using Akka.Event;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Writes the actor system's log to its file; also what was said before the system stopped it. See <see cref="LogWriter"/>.
/// </summary>
public sealed class FileLogger : ReceiveActor, IRequiresMessageQueue<FileLogQueue>
{
    public FileLogger()
    {
        var writer = new LogWriter(Context.System.Settings);
        Receive<InitializeLogger>(_ => Sender.Tell(new LoggerInitialized()));
        Receive<LogEvent>(writer.Write);
    }
}

/// <summary>
/// What waits to be written to the log. A system that ends stops its loggers, whatever waits in their mailboxes: the last lines, such as
/// why it ends. Here they are written when the logger is gone.
/// </summary>
public sealed class FileLogQueue(Settings settings) : UnboundedMessageQueue, IMessageQueue
{
    void IMessageQueue.CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        var writer = new LogWriter(settings);
        while (TryDequeue(out var envelope))
        {
            if (envelope.Message is LogEvent e)
                writer.Write(e);
        }
    }
}

/// <summary>The mailbox of a <see cref="FileLogger"/>, as hocon/akka.conf names it.</summary>
public sealed class FileLogMailbox(Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<FileLogQueue>
{
    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new FileLogQueue(Settings);
}
