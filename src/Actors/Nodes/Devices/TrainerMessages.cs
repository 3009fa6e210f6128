using Akka.Actor;
using Elastic.Messages.Settings;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// Commands to a trainer. They never leave the process: they pass tensors by reference, and the sender does not touch a tensor until
/// the answer is there.
/// </summary>
internal abstract record TrainerCommand : INoSerializationVerificationNeeded
{
    /// <summary>
    /// Train this run's model on these vectors from now on, on a CPU with so many threads. Answered by a <see cref="TrainerReply"/> without
    /// a value.
    /// </summary>
    public sealed record Attach(TrainingSettings Settings, ReplicaVectors Vectors, int Threads) : TrainerCommand;

    /// <summary>A device was lost that was at work with this one, perhaps: it may still read what this one has. Not answered.</summary>
    public sealed record Outlive : TrainerCommand
    {
        public static readonly Outlive Instance = new();
    }

    /// <summary>Do this work on the device. Answered by a <see cref="TrainerReply"/> with what the work returns.</summary>
    public sealed record Work(Func<TrainingDevice, object?> Do) : TrainerCommand;
}

/// <summary>A command was carried out.</summary>
internal sealed record TrainerReply(object? Value) : INoSerializationVerificationNeeded;
