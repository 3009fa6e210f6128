namespace Elastic.Messages.Nodes;

/// <summary>What a person sees of a thread.</summary>
/// <param name="Name">As the operating system has it, which cuts it.</param>
/// <param name="State">"runs", "waits" …</param>
/// <param name="WaitsIn">The function of the operating system that it waits in; empty where it waits in none, or that is not told.</param>
/// <param name="CpuSeconds">Seconds that the thread has computed since it began.</param>
/// <param name="CpuShare">Share of one core that the thread has used within the last moment.</param>
public sealed record ThreadView(string Name, string State, string WaitsIn, double CpuSeconds, double CpuShare) : IWireMessage;
