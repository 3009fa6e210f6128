namespace Elastic.Actors.Tests.Nodes;

/// <summary>Stages on nodes with CPU devices.</summary>
public sealed class StageSpecs() : StageContract("cpu:1");
